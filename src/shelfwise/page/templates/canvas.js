/* The page's colors as a canvas needs them, in the mode that is on. */
function pageColors() {
  const probe = document.createElement("i");
  document.body.append(probe);
  const names = ["sheet", "sunk", "ink", "soft", "line", "accent", "wrong"];
  const found = Object.fromEntries(names.map((name) => {
    probe.style.color = "var(--" + name + ")";
    return [name, getComputedStyle(probe).color];
  }));
  found.font = getComputedStyle(document.body).fontFamily;
  probe.remove();
  return found;
}

/* Give a canvas so many CSS pixels, sharp on every screen, and return its context. */
function sizedCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let keep = text.length;
  while (keep > 1 && context.measureText(text.slice(0, keep) + "\u2026").width > room) keep -= 1;
  return text.slice(0, keep) + "\u2026";
}

/* Draw again when the colors change or the element gets another width. */
function keepDrawn(element, draw) {
  document.addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = element.clientWidth;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    draw();
  }).observe(element);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
