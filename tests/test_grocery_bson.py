"""Real photos bound to products of 1 to 4, written in Cdiscount's format and read back: the same products, the same figures."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from pathlib import Path, PurePosixPath

import bson
import pytest

from conftest import SMALL
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.evaluate import evaluate
from shelfwise.export import ExportSummary, export
from shelfwise.ingest import GrocerySource, ingest
from shelfwise.ingest.cdiscount import CdiscountSource
from shelfwise.options import ExportOptions
from shelfwise.train import train

pytestmark = pytest.mark.slow

# Some have three levels, some two; the whole data set would take minutes.
CLASSES = ("Satsumas", "Kiwi", "Royal-Gala", "Granny-Smith", "Regular-Tomato", "Arla-Medium-Fat-Milk")
FILES = ("train", "val", "test", "iconic")


def some_classes(dataset: Path, root: Path) -> Path:
    """Copy the data set, of a few classes."""
    with (dataset / "classes.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    kept = [row for row in rows if row[0] in CLASSES]
    files = [PurePosixPath(path.lstrip("/")) for row in kept for path in row[4:6]]
    root.mkdir()
    with (root / "classes.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *kept])
    for split in ("train", "val", "test"):
        lines = (dataset / f"{split}.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        lines = [line for line in lines if line.split(",")[0].split("/")[-2] in CLASSES]
        (root / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
        files += [PurePosixPath(line.split(",")[0]) for line in lines]
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dataset / path, root / path)
    return root


@pytest.fixture(scope="module")
def folder(grocery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both catalogs: `straight` from the data set, `bson` by way of Cdiscount's files."""
    folder = tmp_path_factory.mktemp("bson")
    root = some_classes(grocery / "dataset", folder / "grocery")
    ingest(GrocerySource(root, photos_per_product=4), folder / "straight.catalog")
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> ExportSummary:
    summary = export(folder / "straight.catalog", folder / "files", ExportOptions(format="cdiscount"))
    for split in FILES:
        source = CdiscountSource(
            folder / "files" / f"{split}.bson", folder / "files" / "category_names.csv", split=split
        )
        ingest(source, folder / "bson.catalog")
    return summary


Shelves = dict[tuple[bytes, ...], tuple[str | None, tuple[str, ...]]]


def shelves(catalog: Path) -> Shelves:
    """Split and names of the category of every product, by the sha256 of its photos in order."""
    opened = Catalog(catalog)
    photos: dict[str, list[tuple[int, bytes]]] = {}
    for row in opened.images(["product_id", "position", "sha256"]).to_pylist():
        photos.setdefault(row["product_id"], []).append((row["position"], row["sha256"]))
    return {
        tuple(digest for _, digest in sorted(photos[row["product_id"]])): (
            row["split"], opened.taxonomy.names(row["category"])
        )
        for row in opened.products(["product_id", "split", "category"]).to_pylist()
    }  # fmt: skip


def to_three(names: tuple[str, ...]) -> tuple[str, ...]:
    """Fill up to the three levels that the format has."""
    return (*names, *[names[-1]] * (3 - len(names)))


def test_products_of_one_to_four_photos_keep_their_photos_categories_and_splits(folder: Path, written: ExportSummary):
    straight, by_bson = shelves(folder / "straight.catalog"), shelves(folder / "bson.catalog")
    assert by_bson == {photos: (split, to_three(names)) for photos, (split, names) in straight.items()}
    assert {len(names) for _, names in straight.values()} == {2, 3}
    sizes = Counter(map(len, by_bson))
    assert sizes == Counter(map(len, straight))
    assert set(sizes) == {1, 2, 3, 4}
    assert (written.products, written.photos) == (len(straight), sum(size * count for size, count in sizes.items()))
    assert Counter(split for split, _ in by_bson.values()).keys() == set(FILES)


def test_pymongo_reads_the_same_photos(folder: Path, written: ExportSummary):
    straight = shelves(folder / "straight.catalog")
    found = {}
    for split in FILES:
        for document in bson.decode_all((folder / "files" / f"{split}.bson").read_bytes()):
            assert list(document) == ["_id", "category_id", "imgs"]
            photos = tuple(hashlib.sha256(image["picture"]).digest() for image in document["imgs"])
            found[photos] = split
    assert found == {photos: split for photos, (split, _) in straight.items()}
    assert written.notes["product ids that became numbers"] == len(found)


def test_both_ways_learn_the_same_and_score_the_same(folder: Path, written: ExportSummary):
    figures = []
    for name in ("straight", "bson"):
        embed(folder / f"{name}.catalog", SMALL)
        train(folder / f"{name}.catalog", folder / f"{name}.bundle")
        metrics = evaluate(folder / f"{name}.bundle", folder / f"{name}.catalog").metrics
        levels = [level["top1"]["value"] for level in metrics["levels"].values()]
        figures.append(
            [metrics["products"], *(metrics[figure]["value"] for figure in ("top1", "top5", "macro_f1")), *levels]
        )
    assert figures[0] == figures[1]
    assert figures[0][0] == sum(split == "test" for split, _ in shelves(folder / "straight.catalog").values())
    assert 0.5 < figures[0][1] < 1.0  # neither by chance nor perfect: a difference would show
    assert written.left_out == {"titles": 6, "descriptions": 6, "level names": 3}


def test_the_comparison_sees_two_products_whose_photos_were_swapped(folder: Path, written: ExportSummary):
    documents = bson.decode_all((folder / "files" / "train.bson").read_bytes())
    documents[0]["imgs"], documents[-1]["imgs"] = documents[-1]["imgs"], documents[0]["imgs"]
    (folder / "swapped.bson").write_bytes(b"".join(map(bson.encode, documents)))
    ingest(
        CdiscountSource(folder / "swapped.bson", folder / "files" / "category_names.csv", split="train"),
        folder / "swapped.catalog",
    )
    swapped, by_bson = shelves(folder / "swapped.catalog"), shelves(folder / "bson.catalog")
    assert sum(by_bson[photos] != place for photos, place in swapped.items()) == 2
    assert written.products > len(swapped)
