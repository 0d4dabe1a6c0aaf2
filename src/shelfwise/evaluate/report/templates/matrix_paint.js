const MATRIX_LABEL_CELL = 11, MATRIX_COUNT_CELL = 28;

/* Paint the part of the view that the scroll position (left, up) shows; `at` is the chosen [row, column] or null. */
function paintMatrix(context, view, at, wrongOnly, left, up) {
  const { cell, gutter } = view, color = pageColors();
  const x = (column) => gutter + column * cell - left, y = (row) => gutter + row * cell - up;
  context.globalAlpha = 1;
  context.fillStyle = color.sheet;
  context.fillRect(0, 0, view.width, view.height);
  context.save();
  context.beginPath();
  context.rect(gutter - 1, gutter - 1, view.width, view.height);
  context.clip();
  paintLines(context, view, color, x, y);
  paintCells(context, view, color, wrongOnly, x, y);
  paintBoxes(context, view, color, x, y);
  if (at) paintCursor(context, view, color, at, x, y);
  context.restore();
  if (gutter >= 40) paintGutter(context, view, color, at, x, y);
}

function paintLines(context, { blocks, size }, color, x, y) {
  context.lineWidth = 1;
  blocks.forEach((block, i) => {
    const isBranch = i === 0 || blocks[i - 1].branch !== block.branch;
    context.strokeStyle = isBranch ? color.soft : color.line;
    context.globalAlpha = isBranch ? 0.7 : 0.6;
    context.beginPath();
    context.moveTo(x(block.start) - 0.5, y(0)); context.lineTo(x(block.start) - 0.5, y(size));
    context.moveTo(x(0), y(block.start) - 0.5); context.lineTo(x(size), y(block.start) - 0.5);
    context.stroke();
  });
}

function paintCells(context, { cell, size, counts, totals }, color, wrongOnly, x, y) {
  const side = Math.max(cell - (cell > 5 ? 1 : 0), 0.9);
  for (const [key, count] of counts) {
    const row = Math.floor(key / size), column = key % size;
    if (wrongOnly && row === column) continue;
    context.globalAlpha = 0.12 + 0.88 * Math.sqrt(count / totals[row]);
    context.fillStyle = row === column ? color.accent : color.wrong;
    context.fillRect(x(column), y(row), side, side);
    if (cell >= MATRIX_COUNT_CELL) paintCount(context, color, count, count / totals[row], x(column) + cell / 2, y(row) + cell / 2);
  }
}

function paintCount(context, color, count, share, x, y) {
  context.globalAlpha = 1;
  context.font = "12px " + color.font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = share > 0.3 ? color.sheet : color.ink;
  context.fillText(String(count), x, y);
}

function paintBoxes(context, { blocks, cell }, color, x, y) {
  context.globalAlpha = 0.6;
  context.strokeStyle = color.soft;
  for (const block of blocks) {
    const side = (block.end - block.start) * cell;
    if (block.end - block.start > 1) context.strokeRect(x(block.start) - 0.5, y(block.start) - 0.5, side, side);
  }
  context.globalAlpha = 1;
}

function paintCursor(context, { cell, size }, color, [row, column], x, y) {
  context.fillStyle = color.ink;
  context.globalAlpha = 0.07;
  context.fillRect(x(0), y(row), size * cell, cell);
  context.fillRect(x(column), y(0), cell, size * cell);
  context.globalAlpha = 1;
  context.strokeStyle = color.ink;
  context.lineWidth = 1.5;
  context.strokeRect(x(column) - 1, y(row) - 1, Math.max(cell, 4) + 1, Math.max(cell, 4) + 1);
}

function paintGutter(context, view, color, at, x, y) {
  const { cell, gutter } = view, everyCell = cell >= MATRIX_LABEL_CELL;
  const labels = everyCell
    ? view.names.map((text, i) => ({ text, at: i + 0.5 }))
    : view.blocks.filter((block) => (block.end - block.start) * cell >= 10)
      .map((block) => ({ text: block.path.split(" \u203a ").pop() || view.names[block.start], at: (block.start + block.end) / 2 }));
  context.font = (everyCell ? Math.min(12.5, cell) : 11) + "px " + color.font;
  context.textBaseline = "middle";
  const inked = (place, label) => (at && everyCell && at[place] === label.at - 0.5 ? color.ink : color.soft);
  for (const label of labels) {
    const text = shortened(context, label.text, gutter - 12);
    if (y(label.at) > gutter && y(label.at) < view.height) {
      context.textAlign = "right";
      context.fillStyle = inked(0, label);
      context.fillText(text, gutter - 7, y(label.at) + 0.5);
    }
    if (x(label.at) > gutter && x(label.at) < view.width) {
      context.save();
      context.translate(x(label.at), gutter - 7);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillStyle = inked(1, label);
      context.fillText(text, 0, 0.5);
      context.restore();
    }
  }
  context.fillStyle = color.soft;
  context.font = "italic 11px " + color.font;
  context.textAlign = "right";
  context.fillText("answer \u2192", gutter - 7, gutter - 26);
  context.fillText("truth \u2193", gutter - 7, gutter - 10);
}
