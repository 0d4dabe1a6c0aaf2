if (PLOTS.attributes && PLOTS.attributes.names.length > 1) {
  const { names, products, together, samples, all } = PLOTS.attributes;
  const readout = document.getElementById("pairs-readout"), sheet = document.getElementById("pairs-sheet");
  let shown = -1;
  const say = (row, column) => (row === column
    ? names[row] + ": " + several(products[row], "product", "products") + ", " + perCent(products[row], all) + " of all."
    : names[row] + " with " + names[column] + ": " + several(together[row][column], "product", "products") + ", "
      + perCent(together[row][column], products[row]) + " of those with " + names[row] + "; of all products, "
      + perCent(products[column], all) + " carry " + names[column] + ".");
  heatMap(document.getElementById("pairs-heat"), {
    size: names.length,
    labels: names,
    share: (row, column) => (row === column ? 0 : together[row][column] / products[row]),
    tell(row, column) {
      readout.textContent = say(row, column);
      if (row !== shown) sheet.replaceChildren(...photoItems(samples[row] || []));
      shown = row;
    },
    start: [0, 1],
  });
}
