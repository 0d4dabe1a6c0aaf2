"""A person's sitting at the queue: what was shown, what was decided, and the way back."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from threading import Lock
from typing import Any

from shelfwise.catalog import Catalog
from shelfwise.corrections import Corrected, Correction, correct, take_back
from shelfwise.corrections.make import person
from shelfwise.corrections.shelf_names import shortened
from shelfwise.errors import CatalogError, OptionError
from shelfwise.review.queue import Queue, Suspect

VERDICTS = ("accept", "reject", "move", "skip")
ORIGIN = "review"
# A person waits for the answer: a catalog that another command holds is told soon.
_WAIT_S = 3.0
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: the verdict, the shelf it stands on since, and the lines of the log; none for a skip."""

    verdict: str
    before: str
    after: str
    numbers: tuple[int, ...]


class Sitting:
    """Serves one person, who may open the page in several windows: one deed at a time."""

    def __init__(self, queue: Queue, who: str | None = None) -> None:
        self.queue, self.who = queue, person(who)
        self.catalog = queue.catalog
        self.key = f"{ORIGIN} {secrets.token_hex(8)}"
        self.shown: list[int] = []
        self.decisions: dict[int, Decision] = {}
        self.undone = self.dissolved = 0
        self._waiting = [int(product) for product in queue.suspects.product][::-1]
        self._order: list[int] = []
        self._lock = Lock()

    @property
    def counts(self) -> dict[str, int]:
        """Decisions by verdict, and how many products are left."""
        verdicts = Counter(decision.verdict for decision in self.decisions.values())
        open_ones = sum(product not in self.decisions for product in self.shown)
        left = len(self._waiting) + open_ones
        return {verdict: verdicts[verdict] for verdict in VERDICTS} | {
            "left": left,
            "total": left + len(self.decisions),
        }

    def item(self, position: int) -> dict[str, Any]:
        """Return the product at a position for the page; `done` where there is none any more."""
        with self._lock:
            self._refuse_others()
            if position >= len(self.shown):
                position = len(self.shown)
                suspect = self._next()
                if suspect is None:
                    return {"done": True, "position": position, "counts": self.counts}
            else:
                suspect = self.queue.suspect(self.shown[max(position, 0)])
            return self._told(max(position, 0), suspect)

    def decide(self, position: int, verdict: str, to: str | None = None) -> dict[str, Any]:
        """Carry out a verdict on the product at a position, in the place of an earlier one.

        to: the shelf that was accepted or chosen; the one on which the product stands confirms it.
        Raises OptionError for what is no verdict, CatalogError where the catalog does not take it; then nothing changed.
        """
        with self._lock:
            needs_shelf = verdict in ("accept", "move")
            if verdict not in VERDICTS or needs_shelf != bool(to) or not 0 <= position < len(self.shown):
                raise OptionError(f"no verdict: {verdict!r} at {position}, to {to!r}")
            if to and to not in self.catalog.taxonomy.nodes:  # before an earlier decision is taken back
                raise OptionError(f"the catalog has no shelf {shortened(to)}")
            self._refuse_others()
            product = self.shown[position]
            if product in self.decisions:
                self._take_back(product)
            before = self.queue.category_id(self.queue.suspect(product).category)
            after = to or before
            if after == before and verdict != "skip":
                verdict = "reject"
            numbers = () if verdict == "skip" else self._write(product, verdict, before, after)
            self.decisions[product] = Decision(verdict, before, after, numbers)
            self._order.append(product)
            if after != before:
                self.queue.move(product, after)
            return {"counts": self.counts, "words": self._words(self.decisions[product])}

    def undo(self) -> dict[str, Any]:
        """Take the last decision back and return where its product is; position None where there is none."""
        with self._lock:
            if not self._order:
                return {"position": None, "counts": self.counts, "words": "Nothing to take back."}
            self._refuse_others()
            product = self._order[-1]
            words = "Taken back: " + self._words(self.decisions[product])
            self._take_back(product)
            self.undone += 1
            return {"position": self.shown.index(product), "counts": self.counts, "words": words}

    def _next(self) -> Suspect | None:
        while self._waiting:
            product = self._waiting.pop()
            if suspect := self.queue.look(product):
                self.shown.append(product)
                return suspect
            self.dissolved += 1
        return None

    def _write(self, product: int, verdict: str, before: str, after: str) -> tuple[int, ...]:
        product_id = self.catalog.product_ids([product])[0]
        if verdict == "reject":
            correction = Correction(action="confirm", product_id=product_id, was=before)
        else:
            correction = Correction(action="move", product_id=product_id, category=after, was=before)
        path, who, sitting = self.catalog.path, self.who, self.key
        done = correct(path, [correction], who=who, origin=ORIGIN, sitting=sitting, wait_s=_WAIT_S)
        return tuple(self._carried_out(done))

    def _take_back(self, product: int) -> None:
        decision = self.decisions[product]
        if decision.numbers:
            done = take_back(
                self.catalog.path, decision.numbers, who=self.who, origin=ORIGIN, sitting=self.key, wait_s=_WAIT_S
            )
            self._carried_out(done)
        if decision.after != decision.before:
            self.queue.move(product, decision.before)
        del self.decisions[product]
        self._order.remove(product)

    def _carried_out(self, done: Corrected) -> list[int]:
        if done.refused:
            raise CatalogError(done.refused[0][1])
        self.catalog = Catalog(self.catalog.path)
        return done.numbers

    def _refuse_others(self) -> None:
        """Raise CatalogError once another command has changed the catalog: rows may not be where they were."""
        if Catalog(self.catalog.path).description.snapshot.tables != self.catalog.description.snapshot.tables:
            raise CatalogError("another command has changed the catalog: stop with Ctrl-C and start review again")

    def _told(self, position: int, suspect: Suspect) -> dict[str, Any]:
        row = self.catalog.product_rows([suspect.product], ["product_id", "title"])[0]
        decision = self.decisions.get(suspect.product)
        ids = [self.queue.category_id(shelf) for shelf in suspect.shelves]
        upcoming = [int(self.queue.photos_of(product)[0]) for product in self._waiting[: -_AHEAD - 1 : -1]]
        return {
            "done": False,
            "position": position,
            "product_id": row["product_id"],
            "title": row["title"],
            "photos": self.queue.photos_of(suspect.product).tolist(),
            "shelf": self._shelf(self.queue.category_id(suspect.category), suspect.own_probability),
            "others": [self._shelf(shelf, value) for shelf, value in zip(ids, suspect.probabilities, strict=True)],
            "own_photos": list(suspect.own_photos),
            "shelf_photos": list(suspect.shelf_photos),
            "decision": None if decision is None else {"verdict": decision.verdict, "words": self._words(decision)},
            "upcoming": upcoming,
            "counts": self.counts,
        }

    def _shelf(self, category: str, probability: float) -> dict[str, Any]:
        known = probability if probability == probability else None  # JSON has no NaN
        return {"id": category, "names": list(self.catalog.taxonomy.names(category)), "probability": known}

    def _words(self, decision: Decision) -> str:
        shelf = " > ".join(self.catalog.taxonomy.names(decision.after))
        match decision.verdict:
            case "skip":
                return "skipped"
            case "reject":
                return f"stays on {shelf}"
        return f"moved to {shelf}"
