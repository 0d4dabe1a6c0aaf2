"""Bundles that change without being learned anew: one product live, a hundred by update, a merge in the Cdiscount tree.

Grocery's train split with the default backbones (3,632 numbers a photo) is learned; products of val come and go. The merge
is of two categories among 5,270 at 1,280 numbers, on sums of drawn rows in the real Cdiscount tree, as a call on what is in
memory and as the whole command on a bundle on the disk.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness

CATALOG = Path(__file__).parent / "data" / "grocery.catalog"
NAMES = harness.DATA.parent / "formats" / "cdiscount" / "category_names.csv"
LIVE, UPDATE, TRAIN = "one product, live", "update of 100 products", "train anew with them"
MERGE, COMMAND, LOAD, LOAD_BARE = "merge, in memory", "merge, whole command", "load", "load without the sums"
PREPARE = "prepare"
ADD_S, MERGE_S = 0.1, 1
ROWS, DIMENSION = 50_000, 1280


LEARNED, DRAWN = CATALOG.with_name("living.bundle"), CATALOG.with_name("living-drawn.bundle")


def prepare() -> None:
    """Learn the one bundle and draw the other, anew: a bundle is of the version that wrote it."""
    from shelfwise.train import train

    for path in (LEARNED, DRAWN):
        shutil.rmtree(path, ignore_errors=True)
    train(CATALOG, LEARNED)
    drawn_bundle().save(DRAWN)


def folder() -> Path:
    """A folder of this process that goes with it."""
    _FOLDERS.append(tempfile.TemporaryDirectory(prefix="shelfwise-living-"))
    return Path(_FOLDERS[-1].name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def timed(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def milliseconds(seconds: list[float], what: str) -> dict[str, Any]:
    return {f"{what}, ms": float(np.median(seconds) * 1e3), f"{what}, p95": float(np.percentile(seconds, 95) * 1e3)}


def live(count: int) -> harness.Turn:
    from shelfwise.backbones.products import read_products
    from shelfwise.bundle import Bundle
    from shelfwise.catalog import Catalog

    bundle, catalog = Bundle.load(LEARNED), Catalog(CATALOG)
    data = read_products(catalog, bundle.layout, ["val"])
    pictures = catalog.image_bytes(data.first_image[:count])

    def turn() -> dict[str, Any]:
        started = time.perf_counter()
        opened = bundle.live()
        opening = time.perf_counter() - started

        def added(photos: Any, row: int) -> None:
            opened.add(data.product_ids[row], photos, data.categories[row])
            opened.probabilities(photos)

        by_vector = [timed(partial(added, data.x[[row]], row)) for row in range(count)]
        gone = [timed(partial(opened.remove, data.product_ids[row], data.x[[row]])) for row in range(count)]
        by_picture = [timed(lambda row=row: added(bundle.features_of([pictures[row]]), row)) for row in range(count)]
        facts = milliseconds(by_vector, "add + answer") | milliseconds(gone, "remove")
        return facts | milliseconds(by_picture, "embed + add + answer") | {"opened in, s": opening}

    return turn


def updated(count: int) -> harness.Turn:
    from shelfwise.backbones.products import read_products
    from shelfwise.bundle import Bundle
    from shelfwise.catalog import Catalog
    from shelfwise.options import UpdateOptions
    from shelfwise.update import update

    val = read_products(Catalog(CATALOG), Bundle.load(LEARNED).layout, ["val"]).product_ids[:count]

    def turn() -> dict[str, Any]:
        done = update(LEARNED, CATALOG, UpdateOptions(add=tuple(val)), folder() / "new.bundle")
        return {"size": f"{done.products:,} products"}

    return turn


def trained(count: int) -> harness.Turn:
    """Learn from train and all of val, as nothing smaller has a name: 296 products instead of 100 more."""
    from shelfwise.options import TrainOptions
    from shelfwise.train import train

    def turn() -> dict[str, Any]:
        done = train(CATALOG, folder() / "new.bundle", TrainOptions(learn_from="train+val"))
        return {"size": f"{done.facts['products']:,} products, {count} of them asked for"}

    return turn


def drawn_bundle() -> Any:
    """A bundle of the Cdiscount tree, learned from drawn rows at a penalty that is given."""
    from shelfwise.backbones.cards import parse_specs
    from shelfwise.backbones.features import FeatureLayout
    from shelfwise.bundle import Bundle
    from shelfwise.bundle.answers_table import answers_to_parquet
    from shelfwise.bundle.learned import Learned
    from shelfwise.bundle.learned_files import learned_to_files
    from shelfwise.classifiers.calibration import Calibration
    from shelfwise.classifiers.classifier import Classifier
    from shelfwise.classifiers.flat import Flat
    from shelfwise.classifiers.heads import Linear
    from shelfwise.classifiers.member import Member
    from shelfwise.columns import Columns
    from shelfwise.metrics.answers import Answers
    from shelfwise.statistics.solve import System
    from shelfwise.taxonomy import Node, Taxonomy
    from shelfwise.train.golden import golden_pictures

    nodes: dict[str, Node] = {}
    leaves = []
    with NAMES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            top, middle = row["category_level1"], f"{row['category_level1']}/{row['category_level2']}"
            nodes.setdefault(top, Node(top, top, None))
            nodes.setdefault(middle, Node(middle, row["category_level2"], top))
            nodes[row["category_id"]] = Node(
                row["category_id"], f"{row['category_level3']} {row['category_id']}", middle
            )
            leaves.append(row["category_id"])
    columns = Columns(tuple(leaves), Taxonomy(nodes.values()))
    rng = np.random.default_rng(0)
    center = rng.standard_normal((len(columns), DIMENSION), dtype=np.float32)
    column = rng.permutation(np.arange(ROWS) % len(columns)).astype(np.int32)
    x = 6 * rng.standard_normal((ROWS, DIMENSION), dtype=np.float32) + center[column]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    learned = Learned.of(np.array([f"p{row}" for row in range(ROWS)], dtype=object), x, column, len(columns), 0.1)
    s = learned.statistics
    head = Linear.of(System.of(s, 0.1).head(s.sums, s.counts))
    classifier = Classifier((Member("ridge", Flat(head, 0.1)),), (1.0,), Calibration())
    ids = np.array([f"p{row}" for row in range(2048)], dtype=np.str_)
    answers = Answers.from_probabilities(ids, column[:2048], classifier.probabilities(x[:2048], columns), columns)
    table = answers_to_parquet(answers)
    kept = {name: partial(bytes, data) for name, data in learned_to_files(learned, columns.categories).items()}
    bundle = Bundle(
        layout=FeatureLayout(parse_specs("lite0@96")), columns=columns, classifier=classifier,
        facts={"products": ROWS, "notes": []}, left_out_table=table, held_out_table=table, kept=kept,
    )  # fmt: skip
    return bundle.with_golden(golden_pictures())


def merged() -> harness.Turn:
    from shelfwise.bundle import Bundle
    from shelfwise.reshelve.in_bundle import change_bundle
    from shelfwise.reshelve.tree import merged as merged_tree

    bundle = Bundle.load(DRAWN)
    one, other = bundle.categories[100], bundle.categories[2000]
    assert len(bundle.golden_features)  # a service has its backbones loaded

    def turn() -> dict[str, Any]:
        changed = change_bundle(bundle, merged_tree(bundle.taxonomy, one, other), None).bundle
        return {"size": f"{DIMENSION:,} x {len(bundle.categories):,} to {len(changed.categories):,}"}

    return turn


def merged_on_disk() -> harness.Turn:
    from shelfwise.bundle import Bundle
    from shelfwise.reshelve import merge

    path = Path(shutil.copytree(DRAWN, folder() / "drawn.bundle"))
    categories = Bundle.load(path).categories
    pairs = zip(categories[100:2000], categories[3000:], strict=False)

    def turn() -> dict[str, Any]:
        one, other = next(pairs)
        return {"size": f"{merge(path, one, other).categories:,} categories"}

    return turn


def loaded(bare: bool) -> harness.Turn:
    from shelfwise.bundle import Bundle

    path = LEARNED
    if bare:
        path = folder() / "bare.bundle"
        replace(Bundle.load(LEARNED), kept={}).save(path)
    mib = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 2**20

    def turn() -> dict[str, Any]:
        Bundle.load(path)
        return {"bundle, MiB": mib}

    return turn


def main() -> None:
    options = harness.arguments(__doc__)
    count = 10 if options.quick else 100
    sides: dict[str, harness.Prepare] = {
        LIVE: partial(live, count), UPDATE: partial(updated, count), TRAIN: partial(trained, count), MERGE: merged,
        COMMAND: merged_on_disk, LOAD: partial(loaded, False), LOAD_BARE: partial(loaded, True),
    }  # fmt: skip
    if options.side == PREPARE:
        prepare()
        return
    if options.side:
        harness.serve(sides[options.side])
        return
    if not CATALOG.exists() or not NAMES.exists():
        sys.exit(f"living.py: {CATALOG} (see quality.py) and {NAMES} (set SHELFWISE_DATA) are needed")
    subprocess.run([sys.executable, __file__, "--side", PREPARE], check=True)  # its peak memory is no side's
    on, turns = harness.machine(), options.turns or (1 if options.quick else 5)
    done: dict[str, harness.Side] = {}
    for together in ([LIVE], [MERGE], [COMMAND], [LOAD, LOAD_BARE]):
        done |= harness.alternate(__file__, together, options, turns)
    done |= harness.alternate(__file__, [UPDATE, TRAIN], options, 1 if options.quick else 2)
    facts = done[LIVE].facts
    ratios = [
        harness.Ratio(
            "100 ms over adding a product and answering (median)", ADD_S * 1e3 / facts["add + answer, ms"], 1
        ),
        harness.Ratio("the same, p95", ADD_S * 1e3 / facts["add + answer, p95"], 1),
        harness.Ratio(
            "the same with the photo's embedding (median)", ADD_S * 1e3 / facts["embed + add + answer, ms"], 1
        ),
        harness.Ratio("1 s over a merge in memory", MERGE_S / done[MERGE].median_s, 1),
        harness.Ratio("1 s over the whole command of a merge", MERGE_S / done[COMMAND].median_s, 1),
        harness.ratio("update of 100 products over train anew", done[TRAIN], done[UPDATE], 1),
        harness.ratio("load without the sums over load with them", done[LOAD_BARE], done[LOAD], 0.9),
    ]
    notes = [
        "Grocery with the default backbones: 2,640 products, 3,632 numbers, 81 categories. Seconds of the first side are "
        "those of opening it and of all its products; the milliseconds are per product.",
        "Train anew learns from train and val, 2,936 products; it also chooses the penalty, judges and calibrates, which an "
        "update leaves as they were.",
        "A merge on the disk reads, checks and writes the bundle, golden images included.",
    ]
    harness.write("living", "Bundles that change", list(done.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
