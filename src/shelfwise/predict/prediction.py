"""What was answered for a photo, as JSON values and as a row of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shelfwise.predict.certain import Sure

Answers = tuple[tuple[str, tuple[str, ...], float], ...]

_HEADINGS = ("photo", "status", "category", "path", "probability", "familiarity", "sure_category", "sure_path", "sure_level",
             "sure_probability", "set", "reason", "detail")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one photo.

    status: `ok`, or `quarantined` with reason and detail. answers: category id, names from the top down and probability,
    the likeliest first. familiarity: over 0 to 1, near 0 for what is in no category; None where the bundle does not know.
    sure: the deepest sure shelf, set: the categories of the set, the likeliest first; None where they were not asked for.
    """

    photo: str
    status: str
    answers: Answers = ()
    reason: str | None = None
    detail: str | None = None
    familiarity: float | None = None
    sure: Sure | None = None
    set: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        if self.status != "ok":
            return {"photo": self.photo, "status": self.status, "reason": self.reason, "detail": self.detail}
        answers = [{"category": c, "path": list(names), "probability": round(p, 6)} for c, names, p in self.answers]
        values: dict[str, Any] = {"photo": self.photo, "status": self.status, "answers": answers}
        values["familiarity"] = None if self.familiarity is None else round(self.familiarity, 4)
        if self.sure is not None:
            values["sure"] = self.sure.to_dict()
        if self.set is not None:
            values["set"] = list(self.set)
        return values

    def row(self) -> list[str]:
        """Return the cells of its row, as under _HEADINGS; what is absent is empty."""
        category, names, probability = self.answers[0] if self.answers else ("", (), None)
        sure = self.sure
        return [
            self.photo, self.status, category, " > ".join(names), _share(probability), _share(self.familiarity),
            *(("", "", "", "") if sure is None or sure.category is None
              else (sure.category, " > ".join(sure.path), sure.level or "", _share(sure.probability))),
            " | ".join(self.set or ()), self.reason or "", self.detail or "",
        ]  # fmt: skip


def to_csv(predictions: Iterable[Prediction]) -> str:
    """Write predictions as CSV (RFC 4180), a row a photo; cells that a spreadsheet would take for a formula are quoted with '."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_HEADINGS)
    for prediction in predictions:
        writer.writerow([_harmless(cell) for cell in prediction.row()])
    return buffer.getvalue()


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
