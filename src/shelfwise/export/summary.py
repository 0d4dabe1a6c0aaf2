"""What an export wrote, and what its format cannot hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

# How a cell begins that spreadsheets run. Source: OWASP, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(slots=True, kw_only=True)
class ExportSummary:
    """Counts of an export.

    left_out: what the format cannot hold, counted by name (`titles`, `photos beside the first`). notes: what it holds in
    another way, counted. ingest: arguments of `shelfwise`, one list a command, that read it back; none where what comes
    back would be filed otherwise.
    """

    catalog: str
    to: str
    format: str
    products: int = 0
    photos: int = 0
    files: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    ingest: list[list[str]] = field(default_factory=list)

    def wrote(self, photos: int) -> None:
        """Count a product with so many photos."""
        self.products += 1
        self.photos += photos

    def leave_out(self, what: str, count: int = 1) -> None:
        """Count what the format cannot hold."""
        if count:
            self.left_out[what] = self.left_out.get(what, 0) + count

    def note(self, what: str, count: int = 1) -> None:
        """Count what is held in another way."""
        if count:
            self.notes[what] = self.notes.get(what, 0) + count

    def note_formulas(self, *cells: str) -> None:
        """Count the cells that a spreadsheet would run, of a file that must not differ from the original's layout."""
        self.note("cells that a spreadsheet would run", sum(cell.startswith(_FORMULA) for cell in cells))

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)
