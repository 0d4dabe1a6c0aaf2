"""The columns of a table of products, as CSV and Parquet have them, and the command that reads them back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary
from shelfwise.taxonomy import Taxonomy

_TEXTS = {"title": "titles", "description": "descriptions", "group": "groups", "split": "splits"}
_OWN = ("product_id", "images", "title", "description", "attributes", "group", "split")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a table has: only those in which something stands.

    levels: the categories' names, one column a level, called as the catalog calls its levels where that can be.
    is_incomplete: whether some products lack the photo or the category that others have.
    """

    taxonomy: Taxonomy
    texts: tuple[str, ...]
    levels: tuple[str, ...]
    has_images: bool
    has_attributes: bool
    is_incomplete: bool

    @classmethod
    def of(cls, selection: Selection, summary: ExportSummary) -> Columns:
        """Look at what there is."""
        taxonomy, counts = selection.catalog.taxonomy, selection.counts
        depth = max((len(taxonomy.path(node)) for node in selection.categories), default=0)
        names = taxonomy.level_names[:depth]
        if len({*names, *_OWN}) < depth + len(_OWN) or not all(map(_names_a_column, names)):
            names = tuple(f"level{level + 1}" for level in range(depth))
            summary.note("level names that a column cannot have", depth)
        texts = tuple(column for column, name in _TEXTS.items() if counts[name])
        has_images, has_levels = counts["photos"] > 0, depth > 0
        without = [counts["products without photos"]] * has_images + [counts["products without category"]] * has_levels
        return cls(taxonomy, texts, names, has_images, counts["attributes"] > 0, any(without))

    @property
    def names(self) -> list[str]:
        """All columns in the order of the file."""
        there = {*self.texts, "product_id"}
        there |= {"images"} if self.has_images else set()
        there |= {"attributes"} if self.has_attributes else set()
        before = [column for column in ("product_id", "images", "title", "description") if column in there]
        return before + [*self.levels] + [column for column in ("attributes", "group", "split") if column in there]

    def texts_of(self, product: Product) -> dict[str, str]:
        """Return the cells of a product but those of photos and attributes; nothing is the empty text."""
        names = self.taxonomy.names(product.category) if product.category is not None else ()
        filled = (*names, *[""] * (len(self.levels) - len(names)))
        cells = {column: getattr(product, column) or "" for column in self.texts}
        return {"product_id": product.product_id} | cells | dict(zip(self.levels, filled, strict=True))

    def ingest(self, path: Path, *more: str) -> list[str]:
        """Return the arguments that read the table back."""
        command = ["ingest", "table", str(path), "--to", f"{path.parent.name}.catalog", "--id", "product_id"]
        command += ["--image", "images"] if self.has_images else []
        for column in self.texts:
            command += [f"--{column}", column]
        for level in self.levels:
            command += ["--category", level]
        command += ["--attributes", "attributes"] if self.has_attributes else []
        command += ["--incomplete"] if self.is_incomplete else []
        return [*command, *more]


def _names_a_column(name: str) -> bool:
    """Tell whether a level's name can head a column as it is: nothing that a spreadsheet would run, no blank."""
    return name[:1].isalnum() and name.isprintable()
