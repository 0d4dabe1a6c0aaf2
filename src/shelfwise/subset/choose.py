"""Choose products of a catalog, and the tree that they are filed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from shelfwise.catalog import Catalog
from shelfwise.corrections.shelf_names import ShelfNames
from shelfwise.errors import CatalogError, OptionError, SourceError
from shelfwise.options import SubsetOptions
from shelfwise.taxonomy import Node, Taxonomy

_HASH_BYTES = 8
_HASHES = 2 ** (8 * _HASH_BYTES)
GROUP_LEVEL = "group"


@dataclass(frozen=True)
class Chosen:
    """The products taken, by row in the product table, each with its category.

    taxonomy: the nodes at and above their categories; left_out: how many were not taken, by the first reason.
    """

    category_of: dict[int, str | None]
    taxonomy: Taxonomy
    left_out: dict[str, int]


def choose(catalog: Catalog, options: SubsetOptions) -> Chosen:
    """Choose what the options ask for; raises OptionError or CatalogError for a split, level or category that is not there."""
    choice = _Choice(catalog, options)
    choice.by_products()
    if options.needs_categories:
        choice.by_categories()
    return choice.made()


class _Choice:
    """A choice in progress: the rows that fit so far."""

    def __init__(self, catalog: Catalog, options: SubsetOptions) -> None:
        self._catalog, self._options = catalog, options
        products = catalog.products(["product_id", "category", "group", "split"])
        self._ids, self._splits = (products.column(name).to_pylist() for name in ("product_id", "split"))
        self._shelf: list[str | None] = products.column("category").to_pylist()
        self._tree, self._filed = catalog.taxonomy, self._shelf
        if options.groups:
            self._tree, self._filed = _of_groups(products.column("group").to_pylist())
        elif options.level is not None:
            self._tree, self._filed = _of_level(catalog.taxonomy, self._shelf, options.level)
        self._rows = list(range(len(self._ids)))
        self._left_out: Counter[str] = Counter()

    def _keep(self, rows: Collection[int], reason: str) -> None:
        self._left_out[reason] += len(self._rows) - len(rows)
        self._rows = sorted(rows)

    def by_products(self) -> None:
        """Keep what fits by split, id and share."""
        options, rows, ids = self._options, self._rows, self._ids
        if options.split is not None:
            wanted = self._known_splits(options.split)
            self._keep([row for row in rows if self._splits[row] in wanted], "in other splits")
        if options.products is not None:
            listed = set(self._listed())
            self._keep([row for row in self._rows if ids[row] in listed], "not listed")
        if options.share is not None:
            bar = options.share * _HASHES
            self._keep([row for row in self._rows if _hash("share", ids[row]) < bar], "beyond the share")

    def by_categories(self) -> None:
        """Keep what fits by category."""
        options, filed = self._options, self._filed
        self._keep([row for row in self._rows if filed[row]], f"without a {'group' if options.groups else 'category'}")
        if options.below:
            names = ShelfNames(self._catalog.taxonomy)
            nodes = {names.find(text, "--below") for text in options.below}
            below = {node for node in self._catalog.taxonomy.nodes if nodes & set(self._catalog.taxonomy.path(node))}
            self._keep([row for row in self._rows if self._shelf[row] in below], "in other branches")
        if options.largest_categories is not None:
            largest = self._largest(options.largest_categories)
            self._keep([row for row in self._rows if filed[row] in largest], "in smaller categories")
        if options.per_category is not None:
            self._limit(options.per_category)

    def _limit(self, most: int) -> None:
        """Keep of each category the products whose ids have the smallest hashes."""
        asked = self._options.limited_split
        wanted = set(self._splits) if asked is None else self._known_splits(asked)
        taken: Counter[str | None] = Counter()
        kept = [row for row in self._rows if self._splits[row] not in wanted]
        limited = (row for row in self._rows if self._splits[row] in wanted)
        for row in sorted(limited, key=lambda row: (_hash("category", self._ids[row]), self._ids[row])):
            if taken[self._filed[row]] < most:
                kept.append(row)
                taken[self._filed[row]] += 1
        self._keep(kept, "beyond the limit of their category")

    def _largest(self, number: int) -> set[str]:
        """Return the categories with the most products; of equal ones, the first of the tree."""
        counts = Counter(node for row in self._rows if (node := self._filed[row]))
        if len(counts) < number:
            raise OptionError(f"--largest-categories {number}: the products are of {len(counts)} categories")
        order = {node: place for place, node in enumerate(self._tree.nodes_in_order)}
        return set(sorted(counts, key=lambda node: (-counts[node], order[node]))[:number])

    def _known_splits(self, asked: str) -> set[str]:
        wanted, present = set(asked.split("+")), sorted(set(self._splits) - {None})
        if missing := sorted(wanted - set(present)):
            there = ", ".join(present) or "none"
            raise OptionError(f"no product has the split {', '.join(missing)}; there are: {there}")
        return wanted

    def _listed(self) -> list[str]:
        """Read the ids of --products; raises SourceError for one that no product has."""
        file = self._options.products
        assert file is not None
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError as error:
            raise SourceError(f"{file}: no text in UTF-8: {error}") from None
        known, listed = set(self._ids), [line for line in lines if line]
        if unknown := [name for name in listed if name not in known]:
            raise SourceError(f"{file}: no product has the id {unknown[0]!r} ({len(unknown)} of {len(listed)} ids)")
        return listed

    def made(self) -> Chosen:
        """Return what was chosen; raises CatalogError where nothing fits."""
        left_out = {reason: count for reason, count in self._left_out.items() if count}
        if not self._rows:
            told = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            raise CatalogError(f"{self._catalog.path}: no product fits what is asked for: {told or 'it holds none'}")
        category_of = {row: self._filed[row] for row in self._rows}
        used = {above for node in set(category_of.values()) if node for above in self._tree.path(node)}
        kept = Taxonomy([self._tree.nodes[node] for node in self._tree.nodes_in_order if node in used])
        return Chosen(category_of, Taxonomy(kept.nodes.values(), self._tree.level_names[: kept.depth]), left_out)


def _of_groups(groups: Sequence[str | None]) -> tuple[Taxonomy, list[str | None]]:
    """Return a tree of one level with the groups, and each product's."""
    names = sorted(set(filter(None, groups)))
    return Taxonomy([Node(name, name, None) for name in names], (GROUP_LEVEL,) if names else ()), list(groups)


def _of_level(tree: Taxonomy, shelf: Sequence[str | None], asked: str) -> tuple[Taxonomy, list[str | None]]:
    """Return the tree down to a level, and each product's node in it."""
    if asked in tree.level_names:
        level = tree.level_names.index(asked)
    elif asked.isascii() and asked.isdigit() and 1 <= int(asked) <= tree.depth:
        level = int(asked) - 1
    else:
        raise OptionError(f"--level {asked}: the tree has the levels {', '.join(tree.level_names)}")
    nodes = [tree.nodes[node] for node in tree.nodes_in_order if len(tree.path(node)) <= level + 1]
    filed = [None if node is None else tree.ancestor(node, level) for node in shelf]
    return Taxonomy(nodes, tree.level_names[: level + 1]), filed


def _hash(*words: str) -> int:
    """Hash words to 64 bits, otherwise than `split` does, so that what is taken has nothing to do with splits."""
    text = "\0".join(("subset", *words))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest(), "big")
