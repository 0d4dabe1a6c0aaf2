{
  const levels = JSON.parse(document.getElementById("matrix-data").textContent);
  const part = (name) => document.getElementById("matrix-" + name);
  const canvas = part("canvas"), viewport = part("viewport"), extent = part("extent"), readout = part("readout");
  const context = canvas.getContext("2d");
  const LARGEST_CELL = 56, SHOWN_ANSWERS = 7;
  const state = { level: levels.length - 1, branch: -1, zoom: 0, wrongOnly: false, at: null };
  let view = null;

  function layout() {
    const width = viewport.clientWidth, narrow = width < 560;
    const height = Math.min(window.innerHeight * 0.86, 760);
    const side = Math.min(width, height);
    const named = narrow ? 96 : 160, bare = narrow ? 12 : 124;
    const fitting = (gutter) => (side - gutter - 2) / view.size;
    let smallest = Math.min(LARGEST_CELL, fitting(named));
    if (smallest < MATRIX_LABEL_CELL) smallest = Math.max(0.75, Math.min(MATRIX_LABEL_CELL - 0.01, fitting(bare)));
    const cell = smallest + state.zoom * Math.max(0, LARGEST_CELL - smallest);
    const gutter = cell >= MATRIX_LABEL_CELL ? named : bare;
    const full = gutter + cell * view.size + 2;
    Object.assign(view, { cell, gutter, width: Math.min(width, full), height: Math.min(full, Math.max(side, 260)) });
    extent.style.width = extent.style.height = full + "px";
    viewport.style.height = view.height + 2 + "px";
    sizedCanvas(canvas, view.width, view.height);
  }

  function draw() {
    paintMatrix(context, view, state.at, state.wrongOnly, viewport.scrollLeft, viewport.scrollTop);
  }

  const perCent = (part, whole) => (whole ? ((100 * part) / whole).toFixed(1) + "\u202f%" : "no products");

  function tell() {
    const list = part("row");
    list.replaceChildren();
    if (!state.at) { readout.textContent = "Point at a cell."; return; }
    const [row, column] = state.at, total = view.totals[row], count = view.counts.get(row * view.size + column) || 0;
    const products = total + (total === 1 ? " product" : " products");
    readout.textContent = row === column
      ? view.names[row] + ": " + count + " of " + products + " answered rightly (" + perCent(count, total) + ")."
      : view.names[row] + " answered as " + view.names[column] + ": " + count + " of " + products + " (" + perCent(count, total) + ").";
    const answers = matrixRow(view, row);
    for (const [answer, times] of answers.slice(0, SHOWN_ANSWERS)) {
      const item = element("li", answer === row ? "right" : "wrong", "");
      item.style.setProperty("--share", String(times / total));
      item.append(element("span", "name", view.names[answer]), element("span", "times", String(times)));
      if (answer === column) item.setAttribute("aria-current", "true");
      list.append(item);
    }
    if (answers.length > SHOWN_ANSWERS) list.append(element("li", "more", answers.length - SHOWN_ANSWERS + " more"));
  }

  function choose(at, follow) {
    state.at = at;
    if (at && follow) {
      const kept = (scroll, place, side) => Math.min(place * view.cell, Math.max(scroll, (place + 1) * view.cell + view.gutter - side + 4));
      viewport.scrollLeft = kept(viewport.scrollLeft, at[1], view.width);
      viewport.scrollTop = kept(viewport.scrollTop, at[0], view.height);
    }
    tell();
    draw();
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const place = (offset, scroll) => (offset < view.gutter ? -1 : Math.floor((offset - view.gutter + scroll) / view.cell));
    const row = place(event.clientY - box.top, viewport.scrollTop), column = place(event.clientX - box.left, viewport.scrollLeft);
    return row >= 0 && column >= 0 && row < view.size && column < view.size ? [row, column] : null;
  }

  function largestMistake() {
    let best = null, most = 0;
    for (const [key, count] of view.counts) {
      const at = [Math.floor(key / view.size), key % view.size];
      if (at[0] !== at[1] && count > most) { best = at; most = count; }
    }
    return best;
  }

  /* The next mistake in reading order, from the first again after the last. */
  function nextMistake([row, column]) {
    const wrong = [...view.counts.keys()].filter((key) => Math.floor(key / view.size) !== key % view.size).sort((a, b) => a - b);
    if (wrong.length === 0) return [row, column];
    const key = wrong.find((other) => other > row * view.size + column) ?? wrong[0];
    return [Math.floor(key / view.size), key % view.size];
  }

  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  viewport.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move && event.key !== "Enter") return;
    event.preventDefault();
    const limited = (value) => Math.min(view.size - 1, Math.max(0, value));
    if (!move) choose(nextMistake(state.at || [0, 0]), true);
    else choose(state.at ? [limited(state.at[0] + move[0]), limited(state.at[1] + move[1])] : [0, 0], true);
  });
  canvas.addEventListener("pointermove", (event) => { const at = cellAt(event); if (at) choose(at, false); });
  canvas.addEventListener("pointerdown", (event) => choose(cellAt(event), false));
  viewport.addEventListener("scroll", draw);

  function show() {
    view = matrixView(levels[state.level], state.branch);
    state.at = largestMistake();
    layout();
    tell();
    draw();
  }

  function offerBranches() {
    const select = part("branch"), level = levels[state.level];
    const worthwhile = level.branches.length > 1 && level.names.length > level.branches.length;
    select.replaceChildren(new Option("all", "-1"));
    if (worthwhile) level.branches.forEach((name, i) => select.add(new Option(name, String(i))));
    else state.branch = -1;
    select.closest("label").hidden = !worthwhile;
    select.value = String(state.branch);
  }

  function showLevel(level) {
    state.level = level;
    [...part("levels").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === level)));
    offerBranches();
    show();
  }

  levels.forEach((level, i) => {
    const button = element("button", "", level.level);
    button.type = "button";
    button.addEventListener("click", () => showLevel(i));
    part("levels").append(button);
  });
  part("levels").hidden = levels.length < 2;
  part("branch").addEventListener("change", (event) => { state.branch = Number(event.target.value); show(); });
  part("zoom").addEventListener("input", (event) => { state.zoom = Number(event.target.value); layout(); draw(); });
  part("wrong").addEventListener("change", (event) => { state.wrongOnly = event.target.checked; draw(); });
  document.addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => { layout(); draw(); }).observe(part("stage"));
  showLevel(state.level);
}
