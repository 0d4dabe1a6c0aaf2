"""Bring a BSON file of Cdiscount's layout into a catalog: memory over ten times the products, photos a second, what it takes.

The same drawn photos of 180 x 180 as in bson_scan.py. Every photo is read, hashed, decoded in a worker process and given a
perceptual hash; `stored` keeps its bytes in the catalog, `in place` leaves them in the BSON file. A second turn brings the
same file in again, which changes nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import bson_scan
import harness

FEW, MANY = "stored, a tenth", "stored, all"
FEW_IN_PLACE, MANY_IN_PLACE = "in place, a tenth", "in place, all"
AGAIN = "all again, unchanged"


def ingest_side(folder: Path, file: str, to: str, *, in_place: bool) -> harness.Turn:
    from shelfwise.ingest import ingest
    from shelfwise.ingest.cdiscount import CdiscountSource
    from shelfwise.options import IngestOptions

    def turn() -> dict[str, Any]:
        source = CdiscountSource(folder / file, folder / "categories.csv")
        summary = ingest(source, folder / to, IngestOptions(in_place=in_place))
        size = sum(path.stat().st_size for path in (folder / to).rglob("*") if path.is_file())
        return {
            "products": summary.products, "photos": summary.images, "unchanged": summary.unchanged,
            "peak MiB by /proc": _peak_mib(), "catalog MB": round(size / 1e6),
        }  # fmt: skip

    return turn


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def sides_of(folder: Path) -> dict[str, harness.Prepare]:
    stored = partial(ingest_side, folder, in_place=False)
    in_place = partial(ingest_side, folder, in_place=True)
    return {
        FEW: partial(stored, "tenth.bson", "few.catalog"),
        MANY: partial(stored, "all.bson", "many.catalog"),
        FEW_IN_PLACE: partial(in_place, "tenth.bson", "few-in-place.catalog"),
        MANY_IN_PLACE: partial(in_place, "all.bson", "many-in-place.catalog"),
        AGAIN: partial(in_place, "all.bson", "many-in-place.catalog"),
    }


def main() -> None:
    options = harness.arguments(__doc__)
    if options.side:
        harness.serve(sides_of(Path(os.environ[bson_scan.FOLDER]))[options.side])
        return
    products, distinct = (5_000, 200) if options.quick else (200_000, 2_000)
    on = harness.machine()
    with tempfile.TemporaryDirectory(prefix="shelfwise-ingest-") as name:
        folder = Path(name)
        os.environ[bson_scan.FOLDER] = name
        bson_scan.write_file(folder / "all.bson", products, distinct)
        bson_scan.write_file(folder / "tenth.bson", products // 10, distinct)
        tree = "".join(f"{1_000_000_000 + leaf},{leaf % 49},{leaf % 483},{leaf}\n" for leaf in range(5270))
        (folder / "categories.csv").write_text("category_id,category_level1,category_level2,category_level3\n" + tree)
        sides = harness.alternate(__file__, list(sides_of(folder)), options, 1)
        shutil.rmtree(folder / "many.catalog")
    peak = {side: sides[side].facts["peak MiB by /proc"] for side in sides}
    per_s = {side: sides[side].facts["photos"] / sides[side].median_s for side in sides}
    ratios = [
        harness.Ratio("peak of a tenth over peak of all, stored", peak[FEW] / peak[MANY], 1 / 1.1),
        harness.Ratio("peak of a tenth over peak of all, in place", peak[FEW_IN_PLACE] / peak[MANY_IN_PLACE], 1 / 1.1),
    ]
    hours = bson_scan.PHOTOS / per_s[MANY_IN_PLACE] / 3600
    notes = [
        "Photos a second: " + ", ".join(f"{side} {rate:,.0f}" for side, rate in per_s.items()) + ".",
        f"Projected to train.bson ({bson_scan.PHOTOS:,} photos): {hours:.1f} hours on these cores in place, "
        f"{bson_scan.PHOTOS / per_s[AGAIN] / 3600:.1f} hours to find out that nothing changed.",
        "The peak is that of the importing process; each decoder's lies at about 100 MB with pictures of this size.",
    ]
    title = "From a Cdiscount BSON file to a catalog"
    harness.write("ingest_scale", title, list(sides.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
