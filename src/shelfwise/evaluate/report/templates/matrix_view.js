/* What the matrix shows of a level: the categories of one branch (-1: all), every other one folded into a last row and column. */
function matrixView(level, branch) {
  const members = level.names.map((_, i) => i).filter((i) => branch < 0 || level.branch_of[i] === branch);
  const folded = members.length < level.names.length;
  const size = members.length + (folded ? 1 : 0);
  const place = new Array(level.names.length).fill(members.length);
  members.forEach((i, at) => { place[i] = at; });
  const counts = new Map(), totals = new Array(size).fill(0);
  for (const [truth, answer, count] of level.cells) {
    const key = place[truth] * size + place[answer];
    counts.set(key, (counts.get(key) || 0) + count);
    totals[place[truth]] += count;
  }
  return {
    size, counts, totals,
    names: [...members.map((i) => level.names[i]), ...(folded ? ["everything else"] : [])],
    paths: [...members.map((i) => level.paths[i]), ...(folded ? [""] : [])],
    blocks: matrixBlocks(level, members, folded),
  };
}

/* Runs of neighbors that share a parent. */
function matrixBlocks(level, members, folded) {
  const blocks = [];
  members.forEach((i, at) => {
    const last = blocks[blocks.length - 1];
    if (last && last.path === level.paths[i]) last.end = at + 1;
    else blocks.push({ path: level.paths[i], branch: level.branch_of[i], start: at, end: at + 1 });
  });
  if (folded) blocks.push({ path: "", branch: -1, start: members.length, end: members.length + 1 });
  return blocks;
}

/* The answers that a row's products got, the most frequent first, as [column, count]. */
function matrixRow(view, row) {
  const found = [];
  for (const [key, count] of view.counts) {
    if (Math.floor(key / view.size) === row) found.push([key % view.size, count]);
  }
  return found.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}
