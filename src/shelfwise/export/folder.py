"""Class folders: [split/]TOP/MIDDLE/LEAF/photo."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from shelfwise.export.names import EXTENSIONS, category_folders, fits, readable, write_new
from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary
from shelfwise.formats.class_folders import PICTURE_ENDINGS, SPLIT_NAMES


def write_folder(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write every photo into the folder of its product's split and category.

    A product whose id is the path of such a photo, as `ingest folder` makes them, keeps that path.
    """
    taxonomy = selection.catalog.taxonomy
    folders = category_folders(taxonomy)
    changed = sum(PurePosixPath(path).name != taxonomy.nodes[node].name for node, path in folders.items())
    summary.note("category names that a folder cannot have", changed)
    for product in selection.products():
        category = folders[product.category] if product.category is not None else ""
        if not product.photos:
            continue
        summary.wrote(len(product.photos))
        if (kept := _kept(product, category)) is not None:
            name = write_new(folder / kept.parent, kept.stem, kept.suffix, product.photos[0].data)
            summary.note("product ids that become another path", name != kept.name)
        else:
            summary.note("product ids that become another path")
            _write(product, folder / (readable(product.split) if product.split else "") / category)
        summary.note("photos that become products of their own", len(product.photos) - 1)
    if _reads_back(selection, summary):
        summary.ingest.append(["ingest", "folder", summary.to, "--to", f"{Path(summary.to).name}.catalog"])


def _kept(product: Product, category: str) -> PurePosixPath | None:
    """Return the product's id as path where that is where its only photo belongs."""
    *parts, name = product.product_id.split("/")
    if product.split is not None:
        if not parts or not fits(parts[0]) or SPLIT_NAMES.get(parts[0].lower(), parts[0]) != product.split:
            return None
        parts = parts[1:]
    path = PurePosixPath(product.product_id)
    same = "/".join(parts) == category and len(product.photos) == 1
    return path if same and fits(name) and path.suffix.lower() in PICTURE_ENDINGS else None


def _write(product: Product, folder: Path) -> None:
    name = product.product_id.rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    stem = readable(stem if f"{dot}{ending}".lower() in PICTURE_ENDINGS and stem else name)
    for number, photo in enumerate(product.photos):
        place = f"#{number}" if len(product.photos) > 1 else ""
        write_new(folder, f"{stem}{place}", EXTENSIONS[photo.format], photo.data)


def _reads_back(selection: Selection, summary: ExportSummary) -> bool:
    """Tell whether `ingest folder` would take the folders on top for what they are; count what it would not."""
    taxonomy, counts = selection.catalog.taxonomy, selection.counts
    if counts["splits"]:
        foreign = {split for split in selection.splits if split not in SPLIT_NAMES.values()}
        summary.note("splits that `ingest folder` does not know, none at all among them", len(foreign))
        return not foreign and "train" in selection.splits and bool(selection.categories)
    return "train" not in {taxonomy.nodes[node].name.lower() for node in taxonomy.children(None)}
