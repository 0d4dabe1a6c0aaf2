"""Read a BSON file of Cdiscount's layout from end to end: against pymongo's decoder, and against reading it at all.

Products have 1 to 4 drawn photos of 180 x 180, 1.75 on average as in the original; what is asked for is the same on both
sides: product, category, and the length of every picture (ours also says where it lies). The file is in the page cache,
and for the sides called cold it is thrown out of it before every turn.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness

INDEX, PYMONGO, READ, CAT = "index", "pymongo", "read 1 MiB blocks", "cat"
INDEX_COLD, READ_COLD = "index, cold", "read 1 MiB blocks, cold"
FEW, MANY = "rows, a tenth of the products", "rows, all products"
DROP = "drop before "
# Source: the contest's page, kaggle.com/c/cdiscount-image-classification-challenge/data.
PRODUCTS, PHOTOS, SIZE_BYTES = 7_069_896, 12_371_293, 58.1e9
SHARES = {1: 0.55, 2: 0.25, 3: 0.1, 4: 0.1}  # of products with as many photos: 1.75 on average
FOLDER = "SHELFWISE_BENCHMARK_FOLDER"


def write_file(path: Path, products: int, distinct: int) -> None:
    from shelfwise.formats.bson_write import write_documents
    from shelfwise.images.draw import KINDS, draw_product, encode_jpeg

    jpegs = [encode_jpeg(draw_product(KINDS[seed % len(KINDS)], seed, 180), 88) for seed in range(distinct)]
    counts = np.random.default_rng(0).choice(list(SHARES), products, p=list(SHARES.values())).tolist()

    def documents() -> Iterator[tuple[int, int, list[bytes]]]:
        photo = 0
        for number, count in enumerate(counts):
            yield number, 1_000_000_000 + number % 5270, [jpegs[(photo + place) % distinct] for place in range(count)]
            photo += count

    with path.open("wb") as file:
        write_documents(file, documents())
        file.flush()
        os.fsync(file.fileno())  # what is not yet on the disk cannot be thrown out of the cache


def index_side(path: Path) -> harness.Turn:
    from shelfwise.formats.bson_read import index

    def turn() -> dict[str, Any]:
        columns = index(path).columns
        return _facts(len(columns), len(columns.picture_length), int(columns.picture_length.sum()))

    return turn


def pymongo_side(path: Path) -> harness.Turn:
    import bson

    def turn() -> dict[str, Any]:
        ids, categories, lengths = [], [], []
        with path.open("rb") as file:
            for document in bson.decode_file_iter(file):
                ids.append(document["_id"])
                categories.append(document["category_id"])
                lengths.append([len(image["picture"]) for image in document["imgs"]])
        return _facts(len(ids), sum(map(len, lengths)), sum(map(sum, lengths)))

    return turn


def rows_side(path: Path) -> harness.Turn:
    from shelfwise.formats.bson_read import read_documents

    def turn() -> dict[str, Any]:
        products = photos = size_bytes = 0
        for row in read_documents(path):
            products += 1
            photos += len(row.pictures)
            size_bytes += sum(length for _, length in row.pictures)
        return _facts(products, photos, size_bytes)

    return turn


def read_side(path: Path) -> harness.Turn:
    def turn() -> None:
        block = bytearray(2**20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(block):
                pass

    return turn


def cat_side(path: Path) -> harness.Turn:
    return lambda: subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True) and None


def drop_side(path: Path) -> harness.Turn:
    def turn() -> None:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    return turn


def _facts(products: int, photos: int, size_bytes: int) -> dict[str, Any]:
    return {"products": products, "photos": photos, "mean bytes a photo": size_bytes / photos}


def sides_of(folder: Path) -> dict[str, harness.Prepare]:
    path = folder / "all.bson"
    return {
        INDEX: partial(index_side, path),
        PYMONGO: partial(pymongo_side, path),
        READ: partial(read_side, path),
        CAT: partial(cat_side, path),
        DROP + INDEX_COLD: partial(drop_side, path),
        INDEX_COLD: partial(index_side, path),
        DROP + READ_COLD: partial(drop_side, path),
        READ_COLD: partial(read_side, path),
        FEW: partial(rows_side, folder / "tenth.bson"),
        MANY: partial(rows_side, path),
    }


def main() -> None:
    options = harness.arguments(__doc__)
    if options.side:
        harness.serve(sides_of(Path(os.environ[FOLDER]))[options.side])
        return
    products, distinct = (20_000, 200) if options.quick else (200_000, 2_000)
    on, turns = harness.machine(), options.turns or 5
    with tempfile.TemporaryDirectory(prefix="shelfwise-bson-") as name:
        os.environ[FOLDER] = name
        write_file(Path(name, "all.bson"), products, distinct)
        write_file(Path(name, "tenth.bson"), products // 10, distinct)
        size_bytes = Path(name, "all.bson").stat().st_size
        sides = list(sides_of(Path(name)))
        done = harness.alternate(__file__, [side for side in sides if side not in (FEW, MANY)], options, turns)
        done |= harness.alternate(__file__, [FEW, MANY], options, 1)
    ratios = [
        harness.ratio("index over pymongo", done[PYMONGO], done[INDEX], 5),
        harness.ratio("cat over index, both from the page cache", done[CAT], done[INDEX], 0.6),
        harness.ratio("reading 1 MiB blocks over index, both from the page cache", done[READ], done[INDEX], 0.6),
        harness.ratio("reading 1 MiB blocks over index, both from the disk", done[READ_COLD], done[INDEX_COLD], 0.6),
        harness.Ratio(
            "peak of a tenth over peak of all, row by row", done[FEW].peak_mib / done[MANY].peak_mib, 1 / 1.1
        ),
    ]
    rate = {side: size_bytes / done[side].median_s for side in (INDEX, PYMONGO, INDEX_COLD)}
    notes = [
        f"The file: {products:,} products, {size_bytes / 1e9:.2f} GB; a tenth of it for the side with fewer rows.",
        f"Projected to train.bson ({PRODUCTS:,} products, {PHOTOS:,} photos, {SIZE_BYTES / 1e9} GB) by bytes: index "
        f"{SIZE_BYTES / rate[INDEX]:,.0f} s from the page cache, {SIZE_BYTES / rate[INDEX_COLD]:,.0f} s from this disk; "
        f"pymongo {SIZE_BYTES / rate[PYMONGO]:,.0f} s from the page cache. The index takes "
        f"{(PRODUCTS * 41 + PHOTOS * 16) / 2**20:,.0f} MiB (41 bytes a product, 16 a photo), rows one by one take none.",
        f"Gigabytes a second: index {rate[INDEX] / 1e9:.1f}, cold {rate[INDEX_COLD] / 1e9:.1f}; pymongo "
        f"{rate[PYMONGO] / 1e9:.1f}; reading {size_bytes / done[READ].median_s / 1e9:.1f}, cold "
        f"{size_bytes / done[READ_COLD].median_s / 1e9:.1f}. Cold: thrown out of this system's page cache; what lies "
        "below the virtual disk may still be cached.",
    ]
    shown = [side for name, side in done.items() if not name.startswith(DROP)]
    harness.write("bson_scan", "A Cdiscount BSON file", shown, ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
