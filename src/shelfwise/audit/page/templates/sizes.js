if (PLOTS.sizes) {
  const { edges, cells } = PLOTS.sizes, size = edges.length - 1;
  const counts = new Map(cells.map(([width, height, photos]) => [width * size + height, photos]));
  const most = Math.max(...counts.values()), all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const readout = document.getElementById("sizes-readout");
  const fullest = [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
  const between = (place) => counted(edges[place]) + " to " + counted(Math.max(edges[place], edges[place + 1] - 1));
  heatMap(document.getElementById("sizes-heat"), {
    size,
    upwards: true,
    ticks: edges.map((edge, place) => [place, counted(edge)]).filter(([place]) => place < size && Number.isInteger(Math.log2(edges[place]))),
    share: (row, column) => { const photos = counts.get(column * size + row); return photos ? (1 + Math.log(photos)) / (1 + Math.log(most)) : 0; },
    tell(row, column) {
      const photos = counts.get(column * size + row) || 0;
      readout.textContent = between(column) + " wide, " + between(row) + " high: " + several(photos, "photo", "photos") + ", " + perCent(photos, all) + " of all.";
    },
    start: [fullest % size, Math.floor(fullest / size)],
  });
}
