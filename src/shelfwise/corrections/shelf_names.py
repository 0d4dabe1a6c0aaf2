"""Categories as people type them: an id, or the names from the top down."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable
from functools import cached_property

from shelfwise.corrections.plan import BETWEEN_NAMES
from shelfwise.errors import SourceError
from shelfwise.taxonomy import Taxonomy

# Names to compare a misspelled one with take a tenth of a second in the largest trees: a foreign plan has thousands.
_HINTS = 20
_SHOWN = 80


class ShelfNames:
    """Finds the category that is meant."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._hints_left = _HINTS

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        return self._meant(lambda names: BETWEEN_NAMES.join(names))

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return self._meant(lambda names: names[-1])

    def _meant(self, text_of: Callable[[tuple[str, ...]], str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in self._taxonomy.nodes_in_order:
            found.setdefault(_plain(text_of(self._taxonomy.names(node))), []).append(node)
        return found

    def target(self, to: str, to_shelf: str) -> str:
        """Return the category that the cells `to` and `to_shelf` of a line name; one of them may be empty.

        Raises SourceError where they name none, or two different ones.
        """
        if to in self._taxonomy.nodes and _plain(BETWEEN_NAMES.join(self._taxonomy.names(to))) == _plain(to_shelf):
            return to  # as it was written, whatever else is called like this
        named = {column: self.find(text, column) for column, text in (("to", to), ("to_shelf", to_shelf)) if text}
        if not named:
            raise SourceError("columns to and to_shelf are empty: name the shelf to move to")
        if len(set(named.values())) > 1:
            raise SourceError(f"column to says {to!r}, column to_shelf {to_shelf!r}: empty the one that is not meant")
        return next(iter(named.values()))

    def find(self, text: str, column: str) -> str:
        """Return the category of an id, of names from the top down (`Fruit > Apple`), or of a name that only one has.

        Raises SourceError where none is meant, or several may be.
        """
        for node in (text, text.strip()):
            if node in self._taxonomy.nodes:
                return node
        plain = _plain(text)
        same = self._by_path.get(plain) or self._by_name.get(plain) or []
        if len(same) == 1:
            return same[0]
        if same:
            raise SourceError(
                f"column {column}: {len(same)} shelves are called {shortened(text)}: {self._listed(same[:5])}"
            )
        raise SourceError(f"column {column}: the catalog has no shelf {shortened(text)}{self._hint(plain)}")

    def _hint(self, plain: str) -> str:
        """Name the shelf that is spelled nearly like this; said of the first few only."""
        if not self._hints_left or len(plain) > _SHOWN:
            return ""
        self._hints_left -= 1
        near = difflib.get_close_matches(plain, self._by_path, 1) or difflib.get_close_matches(plain, self._by_name, 1)
        meant = (self._by_path.get(near[0]) or self._by_name[near[0]])[:1] if near else []
        return f"; {self._listed(meant)} may be meant" if meant else ""

    def _listed(self, nodes: list[str]) -> str:
        return "; ".join(BETWEEN_NAMES.join(self._taxonomy.names(node)) for node in nodes)


def shortened(text: str) -> str:
    """Quote what somebody typed for a message, no more of it than a line holds."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def _plain(text: str) -> str:
    """Return names as a reader sees them: case, Unicode form and how many blanks aside."""
    names = unicodedata.normalize("NFKC", text).casefold().split(">")
    return ">".join(" ".join(name.split()) for name in names)
