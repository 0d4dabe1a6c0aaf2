/* A table of which only one page of rows exists at a time; `rows` are {place, name, text, values}, `choose` takes a place. */
function pagedTable(choose) {
  const ROWS = 12, part = (name) => document.getElementById(name);
  const table = part("listing"), filter = part("listing-filter");
  const state = { rows: [], shown: [], page: 0, column: 1, sign: -1, chosen: -1 };
  const cells = [...table.tHead.rows[0].cells];

  function arrange() {
    const wanted = filter.value.trim().toLocaleLowerCase(), { column, sign } = state;
    state.shown = wanted ? state.rows.filter((row) => row.text.includes(wanted)) : [...state.rows];
    const compare = column === 0 ? (a, b) => a.name.localeCompare(b.name) : (a, b) => a.values[column - 1] - b.values[column - 1];
    state.shown.sort((a, b) => sign * compare(a, b));
    state.page = 0;
    draw();
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(state.shown.length / ROWS)), first = state.page * ROWS;
    table.tBodies[0].replaceChildren(...state.shown.slice(first, first + ROWS).map(rowOf));
    part("listing-found").textContent = several(state.shown.length, "category", "categories");
    part("listing-page").textContent = (state.page + 1) + " of " + counted(pages);
    part("listing-back").disabled = state.page === 0;
    part("listing-on").disabled = state.page >= pages - 1;
  }

  function rowOf(row) {
    const made = document.createElement("tr"), head = document.createElement("th"), button = element("button", "pick names", "");
    head.scope = "row";
    button.type = "button";
    button.append(element("bdi", "name", row.name));
    if (row.above) button.append(element("bdi", "above", row.above));
    button.addEventListener("click", () => choose(row.place));
    head.append(button);
    made.append(head, ...row.cells.map((text) => element("td", "n", text)));
    if (row.place === state.chosen) made.setAttribute("aria-current", "true");
    return made;
  }

  cells.forEach((header, column) => {
    const button = element("button", "sort", header.textContent.trim());
    button.type = "button";
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      state.sign = state.column === column ? -state.sign : column === 0 ? 1 : -1;
      state.column = column;
      cells.forEach((other, at) => other.setAttribute("aria-sort", at !== column ? "none" : state.sign > 0 ? "ascending" : "descending"));
      arrange();
    });
  });
  filter.addEventListener("input", arrange);
  part("listing-back").addEventListener("click", () => { state.page -= 1; draw(); });
  part("listing-on").addEventListener("click", () => { state.page += 1; draw(); });
  return {
    show(rows) { state.rows = rows; arrange(); },
    mark(place) { state.chosen = place; draw(); },
  };
}
