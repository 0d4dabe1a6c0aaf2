"use strict";
// Shelves by what is typed: every word must begin a word of the path; nearer to the shelf's own name comes first. Signs without
// a word are looked for as they are.
const Shelves = {
  all: [],

  load(categories) {
    this.all = categories.map(({ id, names }) => {
      const plain = names.map(Shelves.plain);
      return { id, names, leaf: plain[plain.length - 1], words: plain.join(" ").split(/[^\p{L}\p{N}]+/u), order: plain.join(" ") };
    });
  },

  plain: (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase(),

  find(typed, most) {
    const text = Shelves.plain(typed).trim();
    const wanted = text.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    const found = [];
    for (const shelf of this.all) {
      if (!wanted.every((part) => shelf.words.some((word) => word.startsWith(part)))) continue;
      if (!wanted.length && !shelf.order.includes(text)) continue;
      const leafWords = shelf.leaf.split(/[^\p{L}\p{N}]+/u);
      const rank = shelf.leaf === text ? 0
        : shelf.leaf.startsWith(text) ? 1
        : wanted.every((part) => leafWords.some((word) => word.startsWith(part))) ? 2
        : wanted.some((part) => leafWords.some((word) => word.startsWith(part))) ? 3 : 4;
      found.push({ shelf, rank });
    }
    found.sort((a, b) => a.rank - b.rank || a.shelf.order.length - b.shelf.order.length || a.shelf.order.localeCompare(b.shelf.order));
    return { count: found.length, shelves: found.slice(0, most).map(({ shelf }) => shelf) };
  },
};

class Chooser {
  constructor(dialog, chosen) {
    this.dialog = dialog;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.hits = dialog.querySelector("#hits");
    this.chosen = chosen;
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("keydown", (event) => this.key(event));
  }

  open(likely, without) {
    this.likely = likely;
    this.without = without;
    this.input.value = "";
    this.show();
    this.dialog.showModal();
    this.input.focus();
  }

  show() {
    const typed = this.input.value.trim();
    const found = typed ? Shelves.find(typed, 60) : { count: 0, shelves: this.likely };
    this.shelves = found.shelves.filter(({ id }) => id !== this.without);
    this.at = 0;
    this.hits.textContent = typed ? found.count + (found.count === 1 ? " shelf" : " shelves") : "most probable first";
    this.list.replaceChildren(...this.shelves.map((shelf, place) => this.line(shelf, place)));
    this.mark();
  }

  line(shelf, place) {
    const line = document.createElement("li");
    line.role = "option";
    line.id = "choice-" + place;
    const add = (kind, text) => {
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = text;
      line.append(part);
    };
    add("leaf-name", shelf.names[shelf.names.length - 1]);
    add("soft", shelf.names.slice(0, -1).join(" › "));
    if (shelf.probability !== undefined && shelf.probability !== null) add("share", percent(shelf.probability));
    line.addEventListener("click", () => this.take(place));
    return line;
  }

  mark() {
    [...this.list.children].forEach((line, place) => line.setAttribute("aria-selected", place === this.at));
    const line = this.list.children[this.at];
    if (line) line.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", line ? line.id : "");
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.shelves.length) {
      this.at = (this.at + step + this.shelves.length) % this.shelves.length;
      this.mark();
    } else if (event.key === "Enter") this.take(this.at);
    else if (event.key === "Escape") this.dialog.close(); // in a search field it would only empty that
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(place) {
    if (!this.shelves[place]) return;
    this.dialog.close();
    this.chosen(this.shelves[place]);
  }
}
