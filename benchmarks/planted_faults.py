"""Plant copies, placeholders, blank pictures and useful repeats among photos, and count which of them audit finds.

Grocery's natural photos (all splits) and drawn photos; half of them are repeated, by ten kinds of copy in turn. Found
pairs that nobody planted are listed: Grocery's photos were taken in bursts.

    python benchmarks/planted_faults.py [--quick]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from harness import DATA, RESULTS, arguments, machine
from shelfwise.audit.alike import Alike, find_alike
from shelfwise.audit.findings import Found
from shelfwise.audit.measures import blocks, measure_pictures
from shelfwise.audit.placeholders import blank_pictures, find_placeholders
from shelfwise.audit.repeats import find_repeats
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.images.draw import DRAWN_TREE, KINDS, draw_product, encode_jpeg
from shelfwise.ingest import GrocerySource, ingest
from shelfwise.options import AuditOptions

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "audit")]
from drawn_faults import COPIES, Faults, plant  # noqa: E402

from drawn_source import GivenSource  # noqa: E402

RADII = (0, 2, 4, 6, 8, 10)
DEFAULT = AuditOptions().radius
GOALS = {"exact": 1.0, "quality 70": 0.99, "half size": 0.99}
Pair = frozenset[str]


def grocery(quick: bool) -> Iterator[tuple[str, bytes]]:
    rows = [row for row in GrocerySource(DATA / "grocery").rows() if row.split != "iconic"]
    for row in rows[:: 10 if quick else 1]:
        yield str(row.category), row.photos[0].data.read_bytes()


def drawn(quick: bool) -> Iterator[tuple[str, bytes]]:
    for number in range(10 if quick else 120):
        for kind in KINDS:
            yield "/".join(DRAWN_TREE[kind]), encode_jpeg(draw_product(kind, 50_000 + number, 180))


def measured(photos: Iterable[tuple[str, bytes]], folder: Path) -> dict[str, Any]:
    faults = plant(photos, list(COPIES), every=2 if "grocery" in folder.name else 5)
    ingest(GivenSource(*faults.rows), folder / "shop.catalog")
    catalog = Catalog(folder / "shop.catalog")
    started = time.process_time()
    measure_pictures(catalog)
    seconds = {"measure": time.process_time() - started}
    inventory = take_inventory(catalog)
    blank = blank_pictures(blocks(catalog, inventory), inventory.pictures)
    recall: dict[str, dict[str, float]] = {kind: {} for kind in faults.copies}
    for radius in RADII:
        started = time.process_time()
        alike = find_alike(catalog, inventory, AuditOptions(radius=radius), blank=blank)
        found = find_repeats(catalog, alike)
        if radius == DEFAULT:
            seconds["compare"] = time.process_time() - started
            chosen = alike, found
        pairs = pairs_of(catalog, found[:2])
        for kind, planted in faults.copies.items():
            recall[kind][str(radius)] = float(np.mean([frozenset(pair) in pairs for pair in planted]))
    return {
        "products": inventory.products, "pictures": inventory.pictures, "seconds": seconds,
        "planted": {kind: len(planted) for kind, planted in faults.copies.items()}, "recall": recall,
        **judged(catalog, faults, *chosen),
    }  # fmt: skip


def judged(catalog: Catalog, faults: Faults, alike: Alike, found: list[Found]) -> dict[str, Any]:
    """Count, at the default radius, what was found and what of that was planted."""
    exact, near, listed, useful = found
    known = {frozenset(pair) for planted in faults.copies.values() for pair in planted}
    exactly = {frozenset(pair) for pair in faults.copies["exact"]}
    near_pairs = pairs_of(catalog, [near]) - exactly
    merged = set(
        map(frozenset, zip(catalog.product_ids(listed.product), catalog.product_ids(listed.kept), strict=True))
    )
    placeholder, blank = find_placeholders(alike)
    cards = set().union(*faults.placeholders)
    shown = [(photo, set(catalog.product_ids(photo.product))) for photo in (placeholder, blank, useful)]
    return {
        "checks": {
            "exact repeats, pairs": counts(pairs_of(catalog, [exact]), exactly),
            "near repeats, pairs": counts(near_pairs, known - exactly),
            "products listed twice": counts(merged, known),
            "placeholders": counts(shown[0][1], cards),
            "blank pictures": counts(shown[1][1], faults.blank),
            "useful repeats": counts(shown[2][1], faults.useful),
        },
        "useful repeats among the placeholders": len(shown[0][1] & faults.useful),
        "not planted": sorted(" = ".join(sorted(pair)) for pair in near_pairs - known),
    }


def pairs_of(catalog: Catalog, found: Iterable[Found]) -> set[Pair]:
    pairs = set()
    for one in found:
        ids = np.array(catalog.product_ids(one.product))
        for members in np.split(ids, np.flatnonzero(np.diff(one.set)) + 1):
            pairs |= {frozenset(pair) for pair in combinations(sorted(set(members.tolist())), 2)}
    return pairs


def counts(found: set[Any], planted: set[Any]) -> dict[str, int]:
    return {"found": len(found), "planted": len(planted), "both": len(found & planted)}


def page(results: dict[str, dict[str, Any]], on: dict[str, Any], quick: bool) -> str:
    lines = [
        "# What audit finds of planted faults", "",
        f"`python benchmarks/planted_faults.py{' --quick' if quick else ''}`, {date.today().isoformat()}. "
        f"Machine: {on['cpu']}, {on['cores']} cores, {on['system']}.",
    ]  # fmt: skip
    for name, r in results.items():
        lines += [
            "", f"## {name}: {r['products']:,} products, {r['pictures']:,} pictures", "",
            f"Processor seconds: to measure every picture {r['seconds']['measure']:.1f}, to compare all and sort out repeats "
            f"{r['seconds']['compare']:.1f}.", "",
            f"Copies found, by radius in bits (default {DEFAULT}):", "",
            "| copy | planted | " + " | ".join(map(str, RADII)) + " | goal | reached |",
            "|---|---|" + "---|" * (len(RADII) + 2),
        ]  # fmt: skip
        for kind, by_radius in r["recall"].items():
            goal = GOALS.get(kind)
            reached = "" if goal is None else ("yes" if by_radius[str(DEFAULT)] >= goal else "no")
            shares = " | ".join(f"{100 * by_radius[str(radius)]:.1f} %" for radius in RADII)
            lines.append(
                f"| {kind} | {r['planted'][kind]} | {shares} | {'' if goal is None else f'{goal:.0%}'} | {reached} |"
            )
        lines += [
            "",
            f"At radius {DEFAULT}:",
            "",
            "| check | planted | found | of them planted | precision |",
            "|---|---|---|---|---|",
        ]
        for check, c in r["checks"].items():
            precision = f"{c['both'] / c['found']:.2%}" if c["found"] else ""
            numbers = " | ".join(f"{c[key]:,}" for key in ("planted", "found", "both"))
            lines.append(f"| {check} | {numbers} | {precision} |")
        lines += ["", "The near repeats planted are of all kinds, those without a goal too."]
        lines += [f"Useful repeats among the placeholders: {r['useful repeats among the placeholders']}."]
        lines += [f"Near repeats that nobody planted: {'; '.join(r['not planted']) or 'none'}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    options, on = arguments(__doc__), machine()
    results = {}
    for name, photos in (("drawn", drawn), ("grocery", grocery)):
        with tempfile.TemporaryDirectory(suffix=name) as folder:
            results[name] = measured(photos(options.quick), Path(folder))
    stem = RESULTS / ("planted_faults-quick" if options.quick else "planted_faults")
    RESULTS.mkdir(exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps({"machine": on, "results": results}, indent=1) + "\n")
    text = page(results, on, options.quick)
    stem.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
