/* Products by rank on a log scale: `counts` descending, the chosen rank, how many of the first hold half of all. */
function paintRanks(canvas, width, height, counts, chosen, half) {
  const context = sizedCanvas(canvas, width, height), color = pageColors();
  const box = ranksBox(width, height), top = Math.max(1, Math.log10(Math.max(1, counts[0])));
  const step = (box.right - box.left) / Math.max(1, counts.length);
  const y = (count) => (count < 1 ? box.bottom : box.bottom - 3 - (box.bottom - 3 - box.top) * Math.log10(count) / top);
  const x = (rank) => box.left + rank * step;
  context.font = "11px " + color.font;
  context.textBaseline = "middle";
  context.strokeStyle = color.line;
  for (let power = 0; power <= top; power += 1) {
    context.beginPath();
    context.moveTo(box.left, Math.round(y(10 ** power)) + 0.5);
    context.lineTo(box.right, Math.round(y(10 ** power)) + 0.5);
    context.stroke();
    context.fillStyle = color.soft;
    context.textAlign = "right";
    context.fillText(counted(10 ** power), box.left - 7, y(10 ** power));
  }
  const gap = step > 4 ? 1 : 0;
  counts.forEach((count, rank) => {
    context.fillStyle = rank === chosen ? color.wrong : color.accent;
    context.globalAlpha = rank === chosen || rank < half ? 1 : 0.5;
    if (count) context.fillRect(x(rank), y(count), Math.max(step - gap, rank === chosen ? 3 : 0.7), box.bottom - y(count));
  });
  context.globalAlpha = 1;
  paintMarks(context, color, box, counts, half, x, chosen);
}

const ranksBox = (width, height) => ({ left: 48, right: width - 14, top: 30, bottom: height - 30 });

function paintMarks(context, color, box, counts, half, x, chosen) {
  context.strokeStyle = color.soft;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x(half), box.top - 8);
  context.lineTo(x(half), box.bottom);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = color.soft;
  const text = "half of all products in " + several(half, "category", "categories"), wide = context.measureText(text).width;
  context.textAlign = "left";
  context.fillText(text, Math.max(box.left, Math.min(x(half) + 6, box.right - wide)), box.top - 16);
  context.textAlign = "left";
  context.fillText("rank 1", box.left, box.bottom + 19);
  context.textAlign = "right";
  context.fillText(counted(counts.length), box.right, box.bottom + 19);
  context.fillStyle = color.wrong;
  const middle = x(chosen + 0.5);
  context.beginPath();
  context.moveTo(middle, box.bottom + 2);
  context.lineTo(middle - 4, box.bottom + 8);
  context.lineTo(middle + 4, box.bottom + 8);
  context.fill();
}
