"""Cdiscount 2017: products with their photos in one BSON file, and a tree of categories of three levels."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.bson_columns import Columns
from shelfwise.formats.bson_document import BadDocument, Document
from shelfwise.formats.bson_read import Batch, Unreadable, read_batches
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow
from shelfwise.formats.text import Stamp
from shelfwise.ingest.records import Damage, FilePart, PhotoSource, ProductRecord
from shelfwise.ingest.tree import category_id
from shelfwise.taxonomy import Node, Taxonomy

LEVEL_NAMES = ("level1", "level2", "level3")
_LEVELS = tuple(f"category_{name}" for name in LEVEL_NAMES)
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")  # as a 64-bit number is written

_Ids = NDArray[np.int64]
_Hashes = NDArray[np.uint64]
_Mask = NDArray[np.bool_]

# Products that are collected before it is looked again which of them have the smallest hashes.
_PENDING = 65_536


class CdiscountSource:
    """Products of a train.bson or test.bson.

    categories: category_names.csv, or None where no product has a category. split: that of all products. salvage: go on
    behind damage. categories_file: take products of the categories that it lists, one id a line; limit_per_category: of each
    category as many products, and of these sample_products in all, those whose ids have the smallest hash, so that neither
    order nor other products change which. What they leave out is counted in facts["left_out"] by the time rows() has ended.
    Raises SourceError for categories that cannot be read or that categories_file does not find among them.
    """

    kind = "cdiscount"
    ignored_files = 0

    def __init__(
        self,
        path: Path,
        categories: Path | None = None,
        *,
        split: str | None = None,
        salvage: bool = False,
        sample_products: int | None = None,
        limit_per_category: int | None = None,
        categories_file: Path | None = None,
    ) -> None:
        for name, number in (("sample-products", sample_products), ("limit-per-category", limit_per_category)):
            if number is not None and number < 1:
                raise OptionError(f"--{name} {number}: give a number from 1 on")
        self.path, self._split, self._salvage = path, split, salvage
        self._sample, self._limit = sample_products, limit_per_category
        self._stamp = Stamp.of(path)
        self.taxonomy = _tree(categories) if categories else Taxonomy([])
        self._known = {int(leaf): leaf for leaf in self.taxonomy.leaves}
        self._leaves = np.array(sorted(self._known), dtype=np.int64)
        self._wanted = self._listed(categories_file) if categories_file else None
        self._filtered = any(asked is not None for asked in (sample_products, limit_per_category, categories_file))
        self.facts: dict[str, Any] = {"left_out": 0} if self._filtered else {}

    def rows(self) -> Iterator[ProductRecord | BadRow | Damage]:
        """Go through the products in order; those of a category outside the tree are bad rows, whatever is asked for."""
        left_out = 0
        with self._stamp.unchanged():
            taken = self._drawn() if self._sample or self._limit else None
            for part in self._parts():
                if isinstance(part, Unreadable):
                    yield Damage(part.offset, part.length, part.detail)
                    continue
                asked = self._asked(part.columns)
                if taken is not None:
                    asked &= _among(hashed(part.columns.id), taken)
                asked |= ~self._fitting(part.columns)
                left_out += len(asked) - int(asked.sum())
                yield from self._records(part, asked)
        if self._filtered:
            self.facts["left_out"] = left_out

    def _parts(self) -> Iterator[Batch | Unreadable]:
        for part in read_batches(self.path, salvage=self._salvage):
            if isinstance(part, Batch) and not self._known and part.columns.labeled.any():
                product = part.columns.id[part.columns.labeled][0]
                raise SourceError(
                    f"{self.path}: the product {product} has a category: give --categories with the file category_names.csv"
                )
            yield part

    def _records(self, batch: Batch, asked: _Mask) -> Iterator[ProductRecord | BadRow]:
        taken = iter(asked.tolist())
        for row in batch.rows():
            if isinstance(row, BadDocument):
                bad = row.row
                yield BadRow(f"{self.path.name}, {bad.where}", bad.code, bad.detail, bad.text, bad.product_id)
            elif next(taken):
                yield self._record(row)

    def _record(self, document: Document) -> ProductRecord | BadRow:
        product_id, where = str(document.id), f"{self.path.name}, byte {document.offset}"
        if document.category is not None and document.category not in self._known:
            detail = f"the category {document.category} is not among the {len(self._known):,} of --categories"
            return BadRow(where, "category_unknown", detail, document.text, product_id)
        photos = tuple(
            PhotoSource(f"{product_id}#{place}", FilePart(self.path, offset, length))
            for place, (offset, length) in enumerate(document.pictures)
        )
        return ProductRecord(
            product_id=product_id,
            photos=photos,
            category=None if document.category is None else self._known[document.category],
            split=self._split,
            where=where,
            text=document.text,
        )

    def _fitting(self, columns: Columns) -> _Mask:
        """Tell which products have a category of the tree, or none at all."""
        return _among(columns.category, self._leaves) | ~columns.labeled

    def _asked(self, columns: Columns) -> _Mask:
        fits = self._fitting(columns)
        return fits if self._wanted is None else fits & columns.labeled & _among(columns.category, self._wanted)

    def _drawn(self) -> _Hashes:
        """Draw the products that limit and sample take, as hashes of ids; memory grows with what they take, not the file."""
        parts = [(np.empty(0, np.uint64), np.empty(0, np.int64))]
        kept = rows = 0
        for part in self._parts():
            if isinstance(part, Batch):
                asked = self._asked(part.columns)
                parts.append((hashed(part.columns.id[asked]), part.columns.category[asked]))
                rows += len(parts[-1][0])
            if rows > 2 * kept + _PENDING:
                parts = [self._smallest(parts)]
                kept = rows = len(parts[0][0])
        return self._smallest(parts)[0][: self._sample]

    def _smallest(self, parts: list[tuple[_Hashes, _Ids]]) -> tuple[_Hashes, _Ids]:
        hashes, categories = (np.concatenate(column) for column in zip(*parts, strict=True))
        hashes, first = np.unique(hashes, return_index=True)
        categories = categories[first]
        if self._limit is None:
            return hashes[: self._sample], categories[: self._sample]
        order = np.argsort(categories, kind="stable")
        _, start, count = np.unique(categories[order], return_index=True, return_counts=True)
        rank = np.arange(len(order)) - np.repeat(start, count)
        kept = np.sort(order[rank < self._limit])
        return hashes[kept], categories[kept]

    def _listed(self, file: Path) -> _Ids:
        """Read which categories are wanted."""
        if not self._known:
            raise OptionError(f"--categories-file {file} needs --categories: without them no product has a category")
        Stamp.of(file)
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            raise SourceError(f"{file}: no text in UTF-8: {error}") from None
        wanted = [line for line in lines if line]
        if not wanted:
            raise SourceError(f"{file} lists no category: give one id a line")
        leaves = set(self.taxonomy.leaves)
        for number, line in enumerate(lines, 1):
            if line and line not in leaves:
                near = difflib.get_close_matches(line, self.taxonomy.leaves, 1, 0)
                meant = f": {near[0]} ({' / '.join(self.taxonomy.names(near[0]))}) is nearest" if near else ""
                raise SourceError(f"{file}, line {number}: there is no category {line!r}{meant}")
        return np.array(sorted(map(int, wanted)), dtype=np.int64)


def _tree(path: Path) -> Taxonomy:
    table = open_table(path)
    need(table, ("category_id", *_LEVELS), path)
    nodes: dict[str, Node] = {}
    for row in table.rows():
        if isinstance(row, BadRow):
            raise SourceError(f"{path}, {row.where}: {row.detail}")
        leaf, names = row.values["category_id"], [row.values[level] for level in _LEVELS]
        if not _WHOLE_NUMBER.fullmatch(leaf) or not all(map(str.strip, names)):
            raise SourceError(f"{path}, {row.where}: the id is no whole number, or a level has no name: {row.text!r}")
        if leaf in nodes:
            raise SourceError(f"{path}, {row.where}: the category {leaf} is there a second time")
        above = [category_id(names[:1]), category_id(names[:2])]
        nodes.setdefault(above[0], Node(above[0], names[0], None))
        nodes.setdefault(above[1], Node(above[1], names[1], above[0]))
        nodes[leaf] = Node(leaf, names[2], above[1])
    return Taxonomy(nodes.values(), LEVEL_NAMES)


def _among(values: NDArray[Any], ordered: NDArray[Any]) -> _Mask:
    """Tell which values are among some in ascending order."""
    if not len(ordered):
        return np.full(len(values), False)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)


def hashed(ids: _Ids) -> _Hashes:
    """Hash integers; no two have the same hash. Source: SplitMix64's mix (Steele, Lea, Flood 2014), variant 13 of Stafford."""
    mixed = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
