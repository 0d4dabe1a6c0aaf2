const PLOTS = JSON.parse(document.getElementById("plots").textContent);
const counted = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const perCent = (part, whole, digits = 1) => (whole ? (100 * part / whole).toFixed(digits) + "\u202f%" : "\u2013");
const several = (value, one, more) => counted(value) + "\u202f" + (value === 1 ? one : more);

/* Random photos as list items: made when they are shown, never before. */
function photoItems(samples, choose) {
  return samples.map(([photo, product], at) => {
    const item = document.createElement("li"), image = document.createElement("img");
    image.alt = "Product " + product;
    image.title = product;
    if (photo) image.src = photo;
    if (!choose) { item.append(image); return item; }
    const button = element("button", "pick", "");
    button.type = "button";
    button.append(image);
    button.addEventListener("click", () => choose(at));
    item.append(button);
    return item;
  });
}

/* A square map of n x n cells. `share(row, column)` from 0 to 1 is painted, `tell(row, column)` speaks of a chosen cell; the first row
   is on top, or at the bottom with `upwards`; `ticks` are [place, text]. */
function heatMap(holder, { size, share, tell, labels = null, ticks = [], upwards = false, start = [0, 0] }) {
  const canvas = holder.querySelector("canvas"), GUTTER = labels ? 92 : 46;
  let cell = 1, side = 0, at = start;
  const rowAt = (row) => (upwards ? size - 1 - row : row);
  function draw() {
    const width = Math.min(holder.clientWidth, 620), gutter = width < 420 && labels ? 70 : GUTTER;
    if (!width) return;
    cell = (width - gutter - 2) / size;
    side = gutter;
    const top = upwards ? 2 : gutter, context = sizedCanvas(canvas, width, width), color = pageColors();
    const y = (row) => top + rowAt(row) * cell, x = (column) => gutter + column * cell;
    context.fillStyle = color.sheet;
    context.fillRect(0, 0, width, width);
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const value = share(row, column);
        context.globalAlpha = value > 0 ? 0.1 + 0.9 * value : 1;
        context.fillStyle = value > 0 ? color.accent : color.sunk;
        context.fillRect(x(column), y(row), Math.max(cell - 1, 0.8), Math.max(cell - 1, 0.8));
      }
    }
    context.globalAlpha = 1;
    context.strokeStyle = color.ink;
    context.lineWidth = 1.5;
    context.strokeRect(x(at[1]) - 1, y(at[0]) - 1, cell + 1, cell + 1);
    context.font = (labels ? Math.min(12, cell) : 11) + "px " + color.font;
    if (labels) paintLabels(context, color, x, y, top);
    else paintTicks(context, color, x, y, width);
  }
  function paintLabels(context, color, x, y, top) {
    labels.forEach((label, place) => {
      const text = shortened(context, label, side - 10);
      context.fillStyle = place === at[0] ? color.ink : color.soft;
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(text, side - 6, y(place) + cell / 2);
      context.save();
      context.translate(x(place) + cell / 2, top - 6);
      context.rotate(-Math.PI / 2);
      context.fillStyle = place === at[1] ? color.ink : color.soft;
      context.textAlign = "left";
      context.fillText(text, 0, 0);
      context.restore();
    });
  }
  function paintTicks(context, color, x, y, width) {
    context.fillStyle = color.soft;
    for (const [place, text] of ticks) {
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(text, side - 6, y(place) + cell);
      context.textAlign = "center";
      context.textBaseline = "alphabetic";
      context.fillText(text, Math.min(x(place), width - 14), 2 + cell * size + 15);
    }
    context.textAlign = "right";
    context.fillText("wide \u2192", width - 4, 2 + cell * size + 32);
    context.save();
    context.translate(12, 4);
    context.rotate(-Math.PI / 2);
    context.fillText("high \u2192", 0, 0);
    context.restore();
  }
  function choose(row, column) {
    const limited = (value) => Math.min(size - 1, Math.max(0, value));
    at = [limited(row), limited(column)];
    tell(...at);
    draw();
  }
  function point(event) {
    const box = canvas.getBoundingClientRect(), top = upwards ? 2 : side;
    const row = Math.floor((event.clientY - box.top - top) / cell), column = Math.floor((event.clientX - box.left - side) / cell);
    if (row >= 0 && column >= 0 && row < size && column < size) choose(rowAt(row), column);
  }
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  const up = upwards ? 1 : -1;
  const MOVES = { ArrowUp: [up, 0], ArrowDown: [-up, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  holder.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    choose(at[0] + move[0], at[1] + move[1]);
  });
  keepDrawn(holder, draw);
  choose(...at);
}
