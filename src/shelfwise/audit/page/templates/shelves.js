if (PLOTS.levels.length) {
  const part = (name) => document.getElementById(name);
  const { names, parents, levels, samples, colors } = PLOTS, OPTIONS = 12, HEIGHT = 260, SHEET = 8;
  const above = (place) => { const found = []; for (let at = parents[place]; at >= 0; at = parents[at]) found.unshift(names[at]); return found; };
  const lower = names.map((name) => name.toLocaleLowerCase());
  const below = new Map();
  parents.forEach((parent, place) => { if (!below.has(parent)) below.set(parent, []); below.get(parent).push(place); });
  const histogramOf = new Map(colors ? colors.categories.map((place, at) => [place, at]) : []);
  const state = { level: levels.length - 1, ranked: [], counts: [], rank: 0, half: 0, total: 0 };
  const listing = pagedTable((place) => choose(state.ranked.findIndex((row) => row.place === place)));

  /* The place itself and everything below it. */
  function branch(place) {
    const found = [place];
    for (let at = 0; at < found.length; at += 1) found.push(...(below.get(found[at]) || []));
    return found;
  }

  function draw() {
    const width = part("rank-plot").clientWidth;
    if (width) paintRanks(part("rank-canvas"), width, HEIGHT, state.counts, state.rank, state.half);
  }

  function showLevel(number) {
    const level = levels[number];
    state.level = number;
    [...part("rank-levels").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === number)));
    state.ranked = level.nodes.map((place, at) => ({ place, products: level.products[at], photos: level.photos[at] }));
    state.ranked.sort((a, b) => b.products - a.products);
    state.counts = state.ranked.map((row) => row.products);
    state.total = state.counts.reduce((sum, count) => sum + count, 0);
    let held = 0;
    state.half = state.total ? state.counts.findIndex((count) => (held += count) * 2 >= state.total) + 1 : 0;
    listing.show(state.ranked.map(({ place, products, photos }) => {
      const path = above(place).join(" \u203a ");
      return {
        place, name: names[place], above: path, text: (path + " " + names[place]).toLocaleLowerCase(),
        values: [products, products, photos, products ? photos / products : 0],
        cells: [counted(products), perCent(products, state.total, 2), counted(photos), products ? (photos / products).toFixed(2) : "\u2013"],
      };
    }));
    choose(0);
  }

  function choose(rank) {
    state.rank = Math.min(state.ranked.length - 1, Math.max(0, rank));
    const { place, products, photos } = state.ranked[state.rank];
    part("shelf-name").textContent = names[place];
    part("shelf-path").textContent = above(place).join(" \u203a ");
    const numbers = [["products", counted(products)], ["share", perCent(products, state.total, 2)], ["photos", counted(photos)],
      ["rank", counted(state.rank + 1) + " of " + counted(state.ranked.length)]];
    part("shelf-numbers").replaceChildren(...numbers.map(([label, value]) => {
      const line = document.createElement("div");
      line.append(element("dt", "", label), element("dd", "", value));
      return line;
    }));
    showSheet(place, products);
    listing.mark(place);
    draw();
  }

  function showSheet(place, products) {
    const members = branch(place).filter((node) => samples[node]);
    const sheet = [];
    for (let turn = 0; sheet.length < SHEET && turn < SHEET; turn += 1) {
      for (const node of members) if (samples[node][turn] && sheet.length < SHEET) sheet.push(samples[node][turn]);
    }
    part("shelf-sheet").replaceChildren(...photoItems(sheet, (at) => {
      part("shelf-note").textContent = "Product " + sheet[at][1];
      showColors(place, sheet[at]);
    }));
    part("shelf-note").textContent = sheet.length ? "Choose a photo to see its product and its colors."
      : products ? "No photo of it on this page, which holds those of fuller shelves." : "Nothing stands here.";
    showColors(place, null);
  }

  function showColors(place, sample) {
    if (!colors) return;
    const sums = new Array(64).fill(0);
    let photos = 0;
    for (const at of branch(place).map((node) => histogramOf.get(node)).filter((at) => at !== undefined)) {
      sharesOf(colors.histograms, at).forEach((share, bin) => { sums[bin] += share * colors.counts[at]; });
      photos += colors.counts[at];
    }
    const shown = [["all photos", sharesOf(colors.all)]];
    if (photos) shown.unshift(["this category", sums.map((sum) => sum / photos)]);
    if (sample && sample[2]) shown.unshift(["this photo", sharesOf(sample[2])]);
    showHistograms(part("shelf-colors"), shown);
  }

  /* Type-ahead: names that begin so first, then those with a word that does, then those that hold it; fuller ones first. */
  function matches(wanted) {
    const found = [[], [], []];
    state.ranked.forEach((row, rank) => {
      const at = lower[row.place].indexOf(wanted);
      if (at >= 0) found[at === 0 ? 0 : /[\s'(/-]/.test(lower[row.place][at - 1]) ? 1 : 2].push(rank);
    });
    return { ranks: found.flat().slice(0, OPTIONS), all: found.flat().length };
  }
  const search = part("rank-search"), options = part("rank-options");
  let offered = [], active = -1;
  function offer() {
    const wanted = search.value.trim().toLocaleLowerCase(), { ranks, all } = wanted ? matches(wanted) : { ranks: [], all: 0 };
    offered = ranks;
    active = ranks.length ? 0 : -1;
    options.replaceChildren(...ranks.map((rank, at) => {
      const item = element("li", "", ""), { place, products } = state.ranked[rank];
      item.id = "rank-option-" + at;
      item.setAttribute("role", "option");
      const label = element("span", "names", "");
      label.append(element("bdi", "name", names[place]), element("bdi", "above", above(place).join(" \u203a ")));
      item.append(label, element("span", "times", counted(products)));
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(at); });
      return item;
    }));
    part("rank-found").textContent = wanted ? several(all, "category", "categories") + " found" : "";
    mark();
  }
  function mark() {
    options.hidden = offered.length === 0;
    search.setAttribute("aria-expanded", String(offered.length > 0));
    [...options.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === active)));
    if (active >= 0) search.setAttribute("aria-activedescendant", "rank-option-" + active);
    else search.removeAttribute("aria-activedescendant");
    options.children[active]?.scrollIntoView({ block: "nearest" });
  }
  function close() { offered = []; active = -1; mark(); }
  function take(at) {
    choose(offered[at]);
    search.value = names[state.ranked[state.rank].place];
    close();
  }
  search.addEventListener("input", offer);
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && offered.length) { active = (active + step + offered.length) % offered.length; mark(); event.preventDefault(); }
    else if (event.key === "Enter" && active >= 0) { take(active); event.preventDefault(); }
    else if (event.key === "Escape") close();
  });

  const rankAt = (event) => {
    const width = part("rank-plot").clientWidth, box = ranksBox(width, HEIGHT), left = part("rank-canvas").getBoundingClientRect().left;
    return Math.floor((event.clientX - left - box.left) / (box.right - box.left) * state.ranked.length);
  };
  for (const deed of ["pointermove", "pointerdown"]) {
    part("rank-canvas").addEventListener(deed, (event) => { const rank = rankAt(event); if (rank !== state.rank && rank >= 0 && rank < state.ranked.length) choose(rank); });
  }
  part("rank-plot").addEventListener("keydown", (event) => {
    const rank = { ArrowLeft: state.rank - 1, ArrowRight: state.rank + 1, Home: 0, End: state.ranked.length - 1,
      PageUp: state.rank - 50, PageDown: state.rank + 50 }[event.key];
    if (rank === undefined) return;
    event.preventDefault();
    choose(rank);
  });

  levels.forEach((level, number) => {
    const button = element("button", "", level.name);
    button.type = "button";
    button.addEventListener("click", () => { showLevel(number); close(); });
    part("rank-levels").append(button);
  });
  part("rank-levels").hidden = levels.length < 2;
  keepDrawn(part("rank-plot"), draw);
  showLevel(state.level);
}
