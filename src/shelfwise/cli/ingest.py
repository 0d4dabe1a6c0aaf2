"""`shelfwise ingest`: one command a source. Flags in, the source opened and brought in, its counts out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from shelfwise.cli.app import FLAGS, FLAT, app, print_json
from shelfwise.options import CdiscountOptions, IngestOptions, TableOptions

if TYPE_CHECKING:
    from shelfwise.ingest.records import Source

ingest = App(
    name="ingest",
    help="Bring foreign data into a catalog; one that exists is added to, and updated by id.",
    default_parameter=FLAGS,
)
app.command(ingest)


def _bring_in(source: Source, to: Path, options: IngestOptions, json: bool) -> int:
    from shelfwise.cli import progress, summaries
    from shelfwise.ingest import ingest as bring_in

    summary = bring_in(source, to, options, progress=progress.bars())
    if json:
        print_json(summary.to_dict() | {"exit": summary.exceeds(options)})
    else:
        summaries.ingested(summary, options)
    return 1 if summary.exceeds(options) else 0


@ingest.command
def folder(
    root: Path, *, to: Path, options: Annotated[IngestOptions, FLAT] = IngestOptions(), json: bool = False
) -> int:
    """Import a folder of class folders; nested folders become the tree, train / val / test on top the splits.

    Parameters
    ----------
    root:
        The folder.
    to:
        The catalog, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest import FolderSource

    return _bring_in(FolderSource(root), to, options, json)


@ingest.command
def grocery(
    root: Path,
    *,
    to: Path,
    photos_per_product: int = 1,
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import the Grocery Store Dataset: photos, tree, official splits, iconic pictures with descriptions.

    Parameters
    ----------
    root:
        The folder that holds `dataset`.
    to:
        The catalog, by convention NAME.catalog.
    photos_per_product:
        Bind photos of a class into products of 1 to so many photos, as a stand-in for a catalog that has several.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest import GrocerySource

    return _bring_in(GrocerySource(root, photos_per_product), to, options, json)


@ingest.command
def table(
    file: Path,
    *,
    to: Path,
    images: Path | None = None,
    columns: Annotated[TableOptions, FLAT] = TableOptions(),
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import a table: .csv, .tsv, .jsonl, .json or .parquet, a row a product; its columns are named by options.

    Parameters
    ----------
    file:
        The table.
    to:
        The catalog, by convention NAME.catalog.
    images:
        The folder that the image paths start from; default: the table's.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.table import TableSource

    return _bring_in(TableSource(file, columns, images), to, options, json)


@ingest.command
def huggingface(
    root: Path,
    *,
    to: Path,
    columns: Annotated[TableOptions, FLAT] = TableOptions(),
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import a Hugging Face imagefolder: photos beside metadata.csv, metadata.jsonl or metadata.parquet.

    Parameters
    ----------
    root:
        The folder, with or without folders of splits.
    to:
        The catalog, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.huggingface import HuggingFaceSource

    return _bring_in(HuggingFaceSource(root, columns), to, options, json)


@ingest.command
def cdiscount(
    bson: Path,
    *,
    to: Path,
    part: Annotated[CdiscountOptions, FLAT] = CdiscountOptions(),
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import Cdiscount's train.bson or test.bson: 1 to 4 photos a product, 5,270 categories on three levels.

    Parameters
    ----------
    bson:
        The file.
    to:
        The catalog, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.cdiscount import CdiscountSource

    source = CdiscountSource(
        bson, part.categories, split=part.split, salvage=part.salvage, sample_products=part.sample_products,
        limit_per_category=part.limit_per_category, categories_file=part.categories_file,
    )  # fmt: skip
    return _bring_in(source, to, options, json)


@ingest.command
def shopee(
    csv: Path,
    *,
    images: Path,
    to: Path,
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import Shopee's train.csv: postings with a photo, a title and the group of the same product.

    Parameters
    ----------
    csv:
        The table.
    images:
        The folder of the photos.
    to:
        The catalog, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.shopee import ShopeeSource

    return _bring_in(ShopeeSource(csv, images), to, options, json)


@ingest.command
def imaterialist(
    listing: Path,
    *,
    images: Path,
    to: Path,
    split: str | None = None,
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import iMaterialist's train.json: images with several labels each; photos that were never obtained are counted.

    Parameters
    ----------
    listing:
        The JSON file of images and annotations.
    images:
        The folder of the photos, IMAGE_ID.jpg or another ending.
    to:
        The catalog, by convention NAME.catalog.
    split:
        The split of all products of this file.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.imaterialist import ImaterialistSource

    return _bring_in(ImaterialistSource(listing, images, split), to, options, json)


@ingest.command
def bookcover30(
    listing: Path,
    *,
    to: Path,
    images: Path | None = None,
    split: str | None = None,
    options: Annotated[IngestOptions, FLAT] = IngestOptions(),
    json: bool = False,
) -> int:
    """Import a BookCover30 listing: titles and genres of books, with their covers where they are.

    Parameters
    ----------
    listing:
        The CSV file, which has no header.
    to:
        The catalog, by convention NAME.catalog.
    images:
        The folder of the covers; without it, the titles alone come in.
    split:
        The split of all products of this file.
    json:
        Print the summary as JSON.
    """
    from shelfwise.ingest.bookcover30 import BookCover30Source

    return _bring_in(BookCover30Source(listing, images, split), to, options, json)
