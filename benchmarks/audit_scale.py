"""Audit catalogs of 100,000 and 1,000,000 drawn photos: peak memory of both, and what the audit takes and finds.

Every photo is a small JPEG of its own, drawn from a seeded random generator; 5,270 categories as uneven as Cdiscount's; one
photo in 20 is a byte for byte copy, one in 40 a copy saved again, one in 200 a placeholder, one product in 20 stands on another
shelf. The vectors are drawn as well (a direction for each category, and noise), since embedding a million photos takes an hour
and is not what is measured here. The catalogs are kept in the folder of --keep for another run, if one is named.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness

FEW, MANY = "100,000 photos", "1,000,000 photos"
_CATEGORIES, _BLOCK, _SPEC = 5270, 8192, "lite0@96"
_SIZES = {FEW: 100_000, MANY: 1_000_000}


class Drawn:
    """The products of a drawn catalog, numbered; one photo each."""

    def __init__(self, products: int, categories: int) -> None:
        random = np.random.default_rng(1)
        weight = 1 / np.arange(1, categories + 1) ** 0.9
        self.shelf = random.choice(categories, products, p=weight / weight.sum()).astype(np.int32)
        self.filed = self.shelf.copy()
        moved = random.random(products) < 0.05
        self.filed[moved] = random.integers(0, categories, moved.sum())
        kind = random.random(products)
        self.copied, self.saved_again, self.placeholder = kind < 0.05, (kind >= 0.05) & (kind < 0.075), kind > 0.995
        earlier = np.maximum(np.arange(products) - 1 - random.integers(0, 500, products), 0)
        self.original = np.where(self.copied | self.saved_again, earlier, np.arange(products))

    def picture(self, number: int) -> bytes:
        import simplejpeg
        from PIL import Image

        quality = 85
        if self.placeholder[number]:
            number = -1
        elif self.original[number] != number:
            quality = 85 if self.copied[number] else 70
            number = int(self.original[number])
        seeds = np.random.default_rng(number + 2).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(seeds).resize((64, 64), Image.Resampling.BICUBIC))
        return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=quality)


def write_catalog(path: Path, products: int, categories: int) -> None:
    from shelfwise.catalog import changing
    from shelfwise.images.decode import decode
    from shelfwise.images.hashes import perceptual_hash
    from shelfwise.taxonomy import Node, Taxonomy

    drawn = Drawn(products, categories)
    tops, middles = 49, 483
    nodes = [Node(f"t{n}", f"Department {n}", None) for n in range(tops)]
    nodes += [Node(f"m{n}", f"Aisle {n}", f"t{n % tops}") for n in range(middles)]
    nodes += [Node(f"c{n}", f"Shelf {n}", f"m{n % middles}") for n in range(categories)]
    with changing(path, "draw") as change:
        change.replace_taxonomy(Taxonomy(nodes))
        for start in range(0, products, _BLOCK):
            numbers = range(start, min(start + _BLOCK, products))
            change.append_products(
                [
                    {
                        "product_id": f"p{n:07}",
                        "category": f"c{drawn.filed[n]}",
                        "split": "test" if n % 10 == 0 else "train",
                    }
                    for n in numbers
                ]
            )
            images = []
            for n in numbers:
                data = drawn.picture(n)
                images.append(
                    {
                        "image_id": f"p{n:07}#0", "product_id": f"p{n:07}", "position": 0, "bytes": data,
                        "length": len(data), "sha256": hashlib.sha256(data).digest(), "format": "JPEG", "mode": "RGB",
                        "perceptual_hash": perceptual_hash(decode(data).pixels), "width": 64, "height": 64,
                        "frames": 1, "status": "ok", "notes": [],
                    }
                )  # fmt: skip
            change.append_images(images)
            print(f"{path.name}: {numbers.stop:,} of {products:,}", end="\r", file=sys.stderr)


def write_vectors(path: Path, products: int, categories: int) -> None:
    from shelfwise.backbones.cards import parse_specs
    from shelfwise.backbones.precision import settle_precision
    from shelfwise.catalog import Catalog

    catalog, drawn = Catalog(path), Drawn(products, categories)
    spec = settle_precision(parse_specs(_SPEC)[0], "fp32")
    width = sum(spec.widths)
    centers = np.random.default_rng(2).standard_normal((categories, width)).astype(np.float32)
    seen: set[bytes] = set()
    for batch in _batches(catalog):
        fresh = [(n, digest) for n, digest in batch if digest not in seen]
        seen.update(digest for _, digest in fresh)
        numbers = np.array([n for n, _ in fresh])
        noise = np.random.default_rng(int(numbers[0]) + 3).standard_normal((len(numbers), width), dtype=np.float32)
        vectors = centers[drawn.shelf[drawn.original[numbers]]] + 3 * noise
        catalog.append_embeddings(spec.key, [digest for _, digest in fresh], vectors.astype(np.float16))
    catalog.record_embedding([spec.to_dict()])


def _batches(catalog: Any) -> Any:
    start = 0
    for batch in catalog.batches("images", ["sha256"], 32768):
        digests = batch.column("sha256").to_pylist()
        yield [(start + place, digest) for place, digest in enumerate(digests)]
        start += len(digests)


def prepare(folder: Path, products: int, categories: int) -> Path:
    path = folder / f"drawn-{products}.catalog"
    if not (path / "catalog.json").exists():
        write_catalog(path, products, categories)
        write_vectors(path, products, categories)
    return path


def audit_side(catalog: Path, folder: Path) -> harness.Turn:
    from shelfwise.audit import audit

    def turn() -> dict[str, Any]:
        summary = audit(catalog, folder / f"{catalog.stem}-audit")
        facts = {"page MB": round(Path(summary.report).stat().st_size / 1e6, 1)}
        for kind in ("exact_repeat", "near_repeat", "placeholder", "wrong_shelf"):
            facts[kind.replace("_", " ")] = summary.findings[kind]["products"] if kind in summary.findings else 0
        return facts | {"peak MiB by /proc": _peak_mib()}

    return turn


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 photos: says whether the script works")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help="folder for the drawn catalogs, kept for another run")
    parser.add_argument("--draw-only", action="store_true", help="draw the catalogs into --keep and stop")
    options = parser.parse_args()
    folder = Path(os.environ.get("AUDIT_SCALE_FOLDER") or options.keep or tempfile.mkdtemp(prefix="audit-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["AUDIT_SCALE_FOLDER"] = str(folder)
    sizes = {name: size // 50 if options.quick else size for name, size in _SIZES.items()}
    categories = _CATEGORIES // 10 if options.quick else _CATEGORIES
    if options.side:
        harness.serve(partial(audit_side, prepare(folder, sizes[options.side], categories), folder))
        return
    on = harness.machine()
    for size in sizes.values():
        prepare(folder, size, categories)
    if options.draw_only:
        return
    sides = harness.alternate(__file__, (FEW, MANY), options, 1)
    few, many = sides[FEW], sides[MANY]
    growth = many.facts["peak MiB by /proc"] / few.facts["peak MiB by /proc"]
    ratios = [harness.Ratio("memory of a tenth / memory of all (1 is flat)", 1 / growth, 1 / 1.1)]
    notes = [
        f"Ten times the photos took {growth:.2f} times the peak memory.",
        "Photos of 64 x 64 px; vectors are drawn, not computed (see the script).",
    ]
    title = "The audit of ten times the photos"
    harness.write("audit_scale", title, list(sides.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
