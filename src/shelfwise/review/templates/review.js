"use strict";
const token = location.pathname.split("/")[1];
const $ = (id) => document.getElementById(id);
const percent = (value) => (value === null ? "unknown" : value > 0.995 ? "over 99 %" : value < 0.005 ? "under 1 %" : Math.round(100 * value) + " %");
const counted = (count, one) => count + " " + one + (count === 1 ? "" : "s");
const preloaded = new Map();
let item = null;
let position = 0;
let busy = false;
let photoAt = 0;

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Shelfwise-Token": token },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("shelfwise review does not answer: is it still running? What was decided is in the catalog.");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || "the server answered " + answer.status);
  return told;
}

// One deed at a time: keys that come while one is on its way are not lost on the next product by mistake.
async function only(deed) {
  if (busy) return;
  busy = true;
  $("desk").setAttribute("aria-busy", "true");
  try {
    await deed();
    $("trouble").hidden = true;
  } catch (error) {
    $("trouble").hidden = false;
    $("trouble").querySelector("p").textContent = error.message;
  }
  busy = false;
  $("desk").removeAttribute("aria-busy");
}

async function go(to) {
  const found = await ask("items/" + Math.max(to, 0));
  position = found.position;
  item = found.done ? null : found;
  tell(found.counts);
  $("desk").hidden = found.done;
  $("finish").hidden = !found.done;
  if (found.done) finish(found.counts);
  else show(found);
}

function tell(counts) {
  const decided = counts.total - counts.left;
  $("tally").textContent = decided + " of " + counts.total + " decided";
  const bar = $("progress");
  bar.setAttribute("aria-valuemax", Math.max(counts.total, 1));
  bar.setAttribute("aria-valuenow", decided);
  bar.style.setProperty("--share", counts.total ? decided / counts.total : 1);
}

function finish(counts) {
  const moved = counts.accept + counts.move;
  $("finish-title").textContent = counts.total ? "The queue is empty." : "Nothing to ask about.";
  $("finish-words").textContent = counts.total
    ? counted(moved, "product") + " moved, " + counts.reject + " confirmed on the same shelf, " + counts.skip + " skipped."
    : "No product stands on a shelf that the others speak against, or all such have been decided.";
  $("finish").focus();
}

function show(found) {
  const best = found.others[0];
  $("title").textContent = found.title || "";
  $("product").textContent = found.product_id;
  side("own", found.shelf, found.own_photos, "Nearest photos of this shelf");
  side("suggested", best || { names: ["none"], probability: null }, found.shelf_photos, "Nearest photos of that shelf");
  $("stamp").hidden = !found.decision;
  $("stamp").textContent = found.decision ? "Decided: " + found.decision.words.replaceAll(" > ", " › ") : "";
  document.querySelector("[data-deed=accept]").disabled = !best;
  photoAt = 0;
  strip(found.photos);
  photo();
  [...found.photos.slice(1), ...found.upcoming].forEach(preload);
}

function side(name, shelf, photos, label) {
  $(name + "-above").textContent = shelf.names.slice(0, -1).join(" › ");
  $(name + "-name").textContent = shelf.names[shelf.names.length - 1];
  $(name + "-sure").textContent = percent(shelf.probability) + " probable";
  $(name + "-gauge").style.setProperty("--share", shelf.probability || 0);
  $(name + "-near-label").textContent = photos.length ? label : "No photo of this shelf to compare with";
  $(name + "-near").replaceChildren(...photos.map((number) => {
    const frame = document.createElement("span");
    const image = new Image();
    image.alt = "";
    image.src = "photos/" + number + "?small=true";
    frame.append(image);
    return frame;
  }));
}

function strip(photos) {
  $("strip").hidden = photos.length < 2;
  $("strip").replaceChildren(...(photos.length < 2 ? [] : photos).map((number, place) => {
    const button = document.createElement("button");
    const image = new Image();
    image.alt = "Photo " + (place + 1);
    image.src = "photos/" + number + "?small=true";
    button.append(image);
    button.addEventListener("click", () => { photoAt = place; photo(); });
    return button;
  }));
}

function photo() {
  const image = $("photo");
  image.src = "photos/" + item.photos[photoAt];
  image.alt = "Photo " + (photoAt + 1) + " of " + item.photos.length + " of " + (item.title || item.product_id);
  [...$("strip").children].forEach((button, place) => button.setAttribute("aria-current", place === photoAt));
}

function preload(number) {
  if (preloaded.has(number)) return;
  const image = new Image();
  image.src = "photos/" + number;
  preloaded.set(number, image);
  if (preloaded.size > 12) preloaded.delete(preloaded.keys().next().value);
}

const path = (shelf) => shelf.names.join(" › ");

async function decide(verdict, to) {
  const told = await ask("verdicts", { position, verdict, to });
  $("said").textContent = (item.title || item.product_id) + " " + told.words.replaceAll(" > ", " › ") + ".";
  await go(position + 1);
}

async function undo() {
  const told = await ask("undo", {});
  if (told.position !== null) await go(told.position);
  $("said").textContent = told.words.replaceAll(" > ", " › ");
}

const chooser = new Chooser($("shelves"), (shelf) => only(() => decide("move", shelf.id)));
const deeds = {
  accept: () => item && item.others.length && only(() => decide("accept", item.others[0].id)),
  reject: () => item && only(() => decide("reject")),
  skip: () => item && only(() => decide("skip")),
  undo: () => only(undo),
  forth: () => item && only(() => go(position + 1)),
  back: () => position > 0 && only(() => go(position - 1)),
  other: () => item && !busy && chooser.open(item.others, item.shelf.id),
  help: () => $("keys").showModal(),
  turn: () => { if (item && item.photos.length > 1) { photoAt = (photoAt + 1) % item.photos.length; photo(); } },
};
const keys = {
  a: "accept", Enter: "accept", r: "reject", o: "other", "/": "other", s: "skip", u: "undo",
  j: "forth", ArrowRight: "forth", k: "back", ArrowLeft: "back", p: "turn", "?": "help",
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const deed = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!deed || (event.key === "Enter" && event.target.closest("button, a"))) return;
  event.preventDefault();
  if (!event.repeat || deed === "forth" || deed === "back") deeds[deed]();
});
for (const button of document.querySelectorAll("[data-deed]")) {
  button.addEventListener("click", () => {
    button.blur();
    deeds[button.dataset.deed]();
  });
}

only(async () => {
  Shelves.load(await ask("categories"));
  await go(0);
});
