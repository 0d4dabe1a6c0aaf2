"""Write a catalog, or some splits of it, in a format that others read; what does not fit is counted, never silent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, OptionError
from shelfwise.export.cdiscount import write_cdiscount
from shelfwise.export.csv_table import write_table
from shelfwise.export.folder import write_folder
from shelfwise.export.imaterialist import write_imaterialist
from shelfwise.export.parquet import write_parquet
from shelfwise.export.selection import Selection
from shelfwise.export.shopee import write_shopee
from shelfwise.export.summary import ExportSummary
from shelfwise.files import new_folder, room_for
from shelfwise.options import ExportOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.taxonomy import Taxonomy

_WRITERS: dict[str, Callable[[Selection, Path, ExportSummary], None]] = {
    "folder": write_folder,
    "csv": write_table,
    "parquet": write_parquet,
    "cdiscount": write_cdiscount,
    "imaterialist": write_imaterialist,
    "shopee": write_shopee,
}
# What no format holds, and what each of them does not; iMaterialist's dead links are counted where they are written.
_NOWHERE = ("quality", "photos set aside", "quarantined photos", "quarantined rows")
_NOT_IN = {
    "folder": ("titles", "descriptions", "attributes", "groups", "products without photos", "missing photos"),
    "csv": ("missing photos",),
    "parquet": ("missing photos",),
    "cdiscount": ("titles", "descriptions", "attributes", "groups", "products without photos", "missing photos"),
    "imaterialist": ("titles", "descriptions", "categories", "groups", "photos beside the first"),
    "shopee": (
        "descriptions", "categories", "attributes", "splits", "photos beside the first", "products without photos",
        "missing photos",
    ),
}  # fmt: skip
# Formats in which a category is there because a product has it, those that tell a category by its names, and those among
# them that do not tell what the levels are called.
_BY_PRODUCTS = ("folder", "csv", "parquet")
_BY_NAMES = (*_BY_PRODUCTS, "cdiscount")
_NAMELESS_LEVELS = ("folder", "cdiscount")


def export(
    catalog: Path | str, to: Path | str, options: ExportOptions | None = None, *, progress: Progress = SILENT
) -> ExportSummary:
    """Write a catalog into the new folder `to`, all of it or nothing.

    Photos that were quarantined or set aside stay behind. Raises OptionError when `to` exists or a split does not,
    CatalogError for photos that are not there any more and for what a format cannot hold at all, DiskFullError when there is
    no room.
    """
    options, to = options or ExportOptions(), Path(to)
    if to.exists() or to.is_symlink():
        raise OptionError(f"--to {to} exists: choose another name, or remove it first")
    selection = Selection(Catalog(catalog), options.split)
    summary = ExportSummary(catalog=str(catalog), to=str(to), format=options.format)
    for what in (*_NOWHERE, *_NOT_IN[options.format]):
        summary.leave_out(what, selection.counts[what])
    if options.format in _BY_NAMES:
        _refuse_nameless(selection.catalog.taxonomy)
    if options.format in _BY_PRODUCTS:
        summary.leave_out("categories without products", _unused(selection))
    if options.format in _NAMELESS_LEVELS:
        summary.leave_out("level names", _own_level_names(selection.catalog.taxonomy))
    with room_for(to, selection.size_bytes), new_folder(to) as folder:
        with progress.task(f"export {options.format} {to.name}", len(selection)) as advance:
            selection.advance = advance
            _WRITERS[options.format](selection, folder, summary)
        summary.files = sum(len(files) for _, _, files in os.walk(folder))
    return summary


def _refuse_nameless(taxonomy: Taxonomy) -> None:
    if nameless := [node.id for node in taxonomy.nodes.values() if not node.name.strip()]:
        raise CatalogError(f"the category {nameless[0]!r} has no name: formats that name categories cannot hold it")


def _own_level_names(taxonomy: Taxonomy) -> int:
    """Count the levels that are called otherwise than level1, level2 and so on."""
    return sum(name != f"level{level}" for level, name in enumerate(taxonomy.level_names, 1))


def _unused(selection: Selection) -> int:
    """Count the categories that no product has, nor one below them."""
    taxonomy = selection.catalog.taxonomy
    used = {above for node in selection.categories for above in taxonomy.path(node)}
    return len(taxonomy.nodes) - len(used)
