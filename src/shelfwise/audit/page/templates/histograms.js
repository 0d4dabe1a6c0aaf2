const CHANNELS = ["grey", "red", "green", "blue"], COLOR_BINS = 16;

/* 64 bytes in base64, from place `at` on: each the square root of a bin's share in steps of 1/255. */
function sharesOf(text, at = 0) {
  const bytes = atob(text);
  return Array.from({ length: 64 }, (_, bin) => (bytes.charCodeAt(64 * at + bin) / 255) ** 2);
}

/* A figure of one histogram: grey as an area, the colors as lines; all figures of a row are drawn to the same height. */
function histogramFigure(title, shares, most) {
  const WIDTH = 240, HEIGHT = 90, figure = document.createElement("figure");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 " + WIDTH + " " + (HEIGHT + 6));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Grey and colors of " + title);
  const path = (className, d) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
    made.setAttribute("class", className);
    made.setAttribute("d", d);
    svg.append(made);
  };
  const y = (share) => (HEIGHT - (HEIGHT - 4) * Math.min(1, share / most)).toFixed(1);
  CHANNELS.forEach((channel, place) => {
    const bins = shares.slice(place * COLOR_BINS, (place + 1) * COLOR_BINS), step = WIDTH / COLOR_BINS;
    if (place === 0) path("channel grey", "M0 " + HEIGHT + bins.map((share, bin) => "V" + y(share) + "H" + (bin + 1) * step).join("") + "V" + HEIGHT + "Z");
    else path("channel " + channel, "M" + bins.map((share, bin) => ((bin + 0.5) * step).toFixed(1) + " " + y(share)).join("L"));
  });
  path("axis", "M0 " + (HEIGHT + 0.5) + "H" + WIDTH);
  const caption = element("figcaption", "", title);
  figure.append(svg, caption);
  return figure;
}

function showHistograms(holder, titled) {
  const most = Math.max(0.05, ...titled.flatMap(([, shares]) => shares));
  holder.replaceChildren(...titled.map(([title, shares]) => histogramFigure(title, shares, most)));
}

if (PLOTS.colors) {
  const large = document.getElementById("all-colors");
  showHistograms(large, [["all " + several(PLOTS.colors.photos, "photo", "photos"), sharesOf(PLOTS.colors.all)]]);
  const key = element("p", "key", "");
  for (const channel of CHANNELS) {
    const part = element("span", "", channel);
    part.prepend(element("i", "channel-mark " + channel, ""));
    key.append(part);
  }
  large.after(key);
}
