"""The file that says on which shelf each product of a split one stands."""

from __future__ import annotations

from pathlib import Path

from shelfwise.corrections.shelf_names import ShelfNames
from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow
from shelfwise.taxonomy import Taxonomy

_COLUMNS = ("product_id", "category")


def read_new_shelves(path: Path, tree: Taxonomy, node: str) -> dict[str, str]:
    """Return for each product the id of a category that exists, or the name of a new one beside `node`.

    A category is given by its id, by the names from the top down (`Fruit > Apple`), or by its name where it stands, or will
    stand, beside `node`. Raises OptionError, naming the row, for anything else.
    """
    shelves: dict[str, str] = {}
    named = _Shelves(tree, node)
    table = open_table(path)
    need(table, _COLUMNS, path)
    for row in table.rows():
        if isinstance(row, BadRow):
            raise OptionError(f"{path}, {row.where}: {row.detail}")
        product, text = (str(row.values[name] or "").strip() for name in _COLUMNS)
        if not product or not text:
            raise OptionError(f"{path}, {row.where}: product_id and category are both needed")
        try:
            shelf = named.meant(text)
        except SourceError as error:
            raise OptionError(f"{path}, {row.where}: {error}; a new one is given by its name alone") from None
        if shelves.setdefault(product, shelf) != shelf:
            raise OptionError(f"{path}, {row.where}: the product {product!r} is named before, with another category")
    return shelves


class _Shelves:
    def __init__(self, tree: Taxonomy, node: str) -> None:
        self._tree, self._names = tree, ShelfNames(tree)
        self._beside = {_plain(tree.nodes[one].name): one for one in tree.children(tree.nodes[node].parent)}

    def meant(self, text: str) -> str:
        if text in self._tree.nodes:
            return text
        if ">" in text:
            return self._names.find(text, "category")
        return self._beside.get(_plain(text), text)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
