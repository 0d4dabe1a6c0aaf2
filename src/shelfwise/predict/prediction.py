"""What was answered for a photo or for a folder of them, as JSON values and as a row of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from shelfwise.predict.certain import Sure

Answers = tuple[tuple[str, tuple[str, ...], float], ...]

_OF_FOLDERS = ("photos", "refused")
_HEADINGS = ("photo", "status", "category", "path", "probability", "familiarity", "sure_category", "sure_path", "sure_level",
             "sure_probability", "set", "reason", "detail")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that could not be used."""

    photo: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one photo, or for the photos of a folder, whose path `photo` is then.

    status: `ok`, or `quarantined` with reason and detail. answers: category id, names from the top down and probability,
    the likeliest first. familiarity: over 0 to 1, near 0 for what is in no category; None where the bundle does not know.
    sure: the deepest sure shelf, set: the categories of the set, the likeliest first; None where they were not asked for.
    photos: how many of a folder's photos the answer rests on, None for a photo; refused: those of the folder that it could not.
    """

    photo: str
    status: str
    answers: Answers = ()
    reason: str | None = None
    detail: str | None = None
    familiarity: float | None = None
    sure: Sure | None = None
    set: tuple[str, ...] | None = None
    photos: int | None = None
    refused: tuple[Refused, ...] = ()

    @classmethod
    def of(cls, name: str, answer: Prediction | None, refused: list[Refused], used: int, folder: bool) -> Prediction:
        """Put an answer under its name; without one it is quarantined, with the reason of the first photo refused."""
        if answer is None:
            listed = ", ".join(f"{Path(each.photo).name} {each.reason}" for each in refused)
            detail = f"none of its photos can be used: {listed}" if folder else refused[0].detail
            answer = cls(name, "quarantined", reason=refused[0].reason, detail=detail)
        answer = replace(answer, photo=name)
        return replace(answer, photos=used, refused=tuple(refused)) if folder else answer

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        name = {"photo" if self.photos is None else "folder": self.photo, "status": self.status}
        counted: dict[str, Any] = {}
        if self.photos is not None:
            counted = {"photos": self.photos, "refused": [asdict(each) for each in self.refused]}
        if self.status != "ok":
            return name | counted | {"reason": self.reason, "detail": self.detail}
        answers = [{"category": c, "path": list(names), "probability": round(p, 6)} for c, names, p in self.answers]
        values: dict[str, Any] = name | counted | {"answers": answers}
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
            *(() if self.photos is None else (str(self.photos), str(len(self.refused)))),
        ]  # fmt: skip


def to_csv(predictions: Iterable[Prediction]) -> str:
    """Write predictions as CSV (RFC 4180), a row a photo or folder.

    Cells that a spreadsheet would take for a formula are quoted with '.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    told = list(predictions)
    of_folders = any(prediction.photos is not None for prediction in told)
    writer.writerow(("folder", *_HEADINGS[1:], *_OF_FOLDERS) if of_folders else _HEADINGS)
    for prediction in told:
        writer.writerow([_harmless(cell) for cell in prediction.row()])
    return buffer.getvalue()


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
