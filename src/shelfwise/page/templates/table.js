/* Tables of the class `sortable`: a column's name sorts; a field with data-filters=ID filters, data-counts=ID says how many. */
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({
    row,
    text: row.cells[0].textContent.toLocaleLowerCase(),
    values: [...row.cells].map((cell) => (cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value))),
  }));
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));

  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = header.textContent.trim();
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = rows.length > 0 && typeof rows[0].values[column] === "number";
      const now = header.getAttribute("aria-sort");
      const order = now === "none" ? (numeric ? "descending" : "ascending") : now === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((a, b) => sign * compare(a.values[column], b.values[column]));
      body.append(...rows.map((entry) => entry.row));
    });
  });

  const filter = document.querySelector("[data-filters='" + table.id + "']");
  const found = document.querySelector("[data-counts='" + table.id + "']");
  const [one, several] = (table.dataset.noun || "row|rows").split("|");
  const apply = () => {
    const wanted = filter.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const entry of rows) {
      entry.row.hidden = !entry.text.includes(wanted);
      if (!entry.row.hidden) shown += 1;
    }
    found.textContent = wanted ? shown + " of " + rows.length : rows.length + " " + (rows.length === 1 ? one : several);
  };
  if (filter) {
    filter.addEventListener("input", apply);
    apply();
  }
}
