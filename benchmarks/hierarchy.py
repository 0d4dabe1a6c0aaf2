"""The hierarchies beside one another on the Grocery Store Dataset: flat, levels, hard, soft, bands, confusion.

Learned from the official training photos. What is chosen is chosen there and on the official validation photos; the test
photos are looked at once, for all. Calibration: for the columns about validation fitted on training photos left out with their
look-alikes, for those about test on validation, as `train` does where the two disagree. Beside them a head that was learned from
the labels of the 42 coarse categories alone. Seconds: the head for all and what the hierarchy adds, without reading vectors.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import harness

CATALOGS = Path(__file__).parent / "data"
PRESETS = {"lite0+lite1+lite2, heads": ("heads.catalog", "lite0+lite1+lite2"), "default": ("grocery.catalog", None)}
QUICK = {"lite0, heads": ("heads.catalog", "lite0")}
LEVELS = ("fine", "coarse", "top")


def prepare() -> None:
    """Ingest and embed Grocery, where that was not done before; the three heads in a catalog of their own."""
    from shelfwise.embed import embed
    from shelfwise.ingest import GrocerySource, ingest
    from shelfwise.options import EmbedOptions

    default, heads = (CATALOGS / name for name in ("grocery.catalog", "heads.catalog"))
    if not default.exists():
        if not (harness.DATA / "grocery").is_dir():
            sys.exit(f"hierarchy.py: the Grocery photos are not below {harness.DATA}: set SHELFWISE_DATA")
        ingest(GrocerySource(harness.DATA / "grocery" / "dataset"), default)
        embed(default, EmbedOptions())
    if not heads.exists():
        shutil.copytree(default, heads)
        embed(heads, EmbedOptions(backbone="lite0+lite1+lite2"))


@dataclass(frozen=True)
class Split:
    """Products of one split: ids, vectors x (p, d), and columns (p,)."""

    ids: np.ndarray
    x: np.ndarray
    column: np.ndarray


@dataclass(frozen=True)
class Shop:
    """What is learned from, with its columns in the tree, and what is asked about."""

    rows: Any
    columns: Any
    splits: dict[str, Split]

    @classmethod
    def read(cls, catalog: str, backbone: str | None, last: str) -> Shop:
        from shelfwise.backbones.products import embedded_layout, read_products
        from shelfwise.catalog import Catalog
        from shelfwise.columns import Columns
        from shelfwise.train.rows import TrainingRows, group_products

        opened = Catalog(CATALOGS / catalog)
        layout = embedded_layout(opened, backbone)
        data = {name: read_products(opened, layout, [name]) for name in ("train", "val", last)}
        present = set(data["train"].categories)
        columns = Columns(tuple(node for node in opened.taxonomy.nodes_in_order if node in present), opened.taxonomy)
        column = columns.of(data["train"].categories)
        groups = group_products(data["train"], column)
        splits = {
            name: Split(data[of].product_ids.astype(str), data[of].x, columns.of(data[of].categories))
            for name, of in (("val", "val"), ("test", last))
        }
        return cls(TrainingRows(data["train"].x, column, len(columns), groups), columns, splits)

    def coarse(self) -> Shop:
        """The same products by the labels of the coarse categories alone."""
        from shelfwise.columns import Columns
        from shelfwise.train.rows import TrainingRows

        level = self.columns.taxonomy.level_names.index("coarse")
        columns = Columns(self.columns.level_nodes[level], self.columns.taxonomy)
        coarse_of = self.columns.level_of[level]
        rows = TrainingRows(self.rows.x, coarse_of[self.rows.column], len(columns), self.rows.groups)
        splits = {name: Split(s.ids, s.x, coarse_of[s.column]) for name, s in self.splits.items()}
        return Shop(rows, columns, splits)


def judged(shop: Shop, start: Any, model: Any) -> dict[str, Any]:
    """Return the answers about validation and test, calibrated, by split."""
    from shelfwise.metrics.answers import Answers
    from shelfwise.train.calibrate import fit_calibration

    said = {name: model.model.log_probabilities(split.x) for name, split in shop.splits.items()}
    calibrations = {
        "val": fit_calibration(start.judged.of(model.held_out), start.judged.truth, shop.columns),
        "test": fit_calibration(said["val"], shop.splits["val"].column, shop.columns),
    }
    return {
        name: Answers.from_probabilities(
            split.ids, split.column, calibrations[name].apply(said[name], shop.columns), shop.columns
        )
        for name, split in shop.splits.items()
    }


def line(name: str, answers: dict[str, Any], seconds: float, model: Any, flat: Any) -> dict[str, Any]:
    from shelfwise.metrics.classification import score

    test, val = score(answers["test"]), score(answers["val"], resamples=0)
    shown = {"hierarchy": name}
    for level in LEVELS:
        found = test.levels[level]["top1"]
        shown[f"{level} (95 %)"] = f"{100 * found.value:.1f} ({100 * found.low:.1f} - {100 * found.high:.1f})"
    shown["fine, less flat"] = less(answers["test"].right, flat) if flat is not None else ""
    for figure in ("log_loss", "calibration_error"):
        shown[figure.replace("_", " ")] = f"{test.figures[figure].value:.3f}"
    shown |= {f"val {level}": f"{100 * val.levels[level]['top1'].value:.1f}" for level in LEVELS}
    shown["val log-loss"] = f"{val.figures['log_loss'].value:.3f}"
    shown["numbers"] = f"{sum(t.size for t in model.stored()[1].values()):,}"
    return shown | {"train, s": f"{seconds:.1f}"}


def less(right: np.ndarray, other: np.ndarray) -> str:
    """Show the difference of two shares right about the same photos, in points, with its 95 % interval.

    Source: Newcombe 1998, Improved confidence intervals for the difference between binomial proportions based on paired
    data, method 1.
    """
    n, won, lost = len(right), int((right & ~other).sum()), int((other & ~right).sum())
    difference, half = (won - lost) / n, 1.96 * np.sqrt(won + lost - (won - lost) ** 2 / n) / n
    return f"{100 * difference:+.1f} ({100 * (difference - half):+.1f} to {100 * (difference + half):+.1f})"


def table(shop: Shop, quick: bool) -> list[dict[str, Any]]:
    from shelfwise.train.heads.ridge import learn_ridge
    from shelfwise.train.trees.flat_head import FlatHead
    from shelfwise.train.trees.hierarchies import LEARN_HIERARCHY

    started = time.perf_counter()
    start = FlatHead.learn(shop.rows, shop.columns, learn_ridge)
    head_s, lines, flat = time.perf_counter() - started, [], None
    for name, learn in LEARN_HIERARCHY.items():
        if quick and name == "confusion":
            continue
        started = time.perf_counter()
        model = learn(start)
        seconds = head_s + time.perf_counter() - started
        answers = judged(shop, start, model)
        lines.append(line(name, answers, seconds, model.model, flat))
        flat = answers["test"].right if flat is None else flat
        print(lines[-1], file=sys.stderr)
    coarse, started = shop.coarse(), time.perf_counter()
    alone = FlatHead.learn(coarse.rows, coarse.columns, learn_ridge)
    seconds = time.perf_counter() - started
    of_coarse = line("coarse labels alone", judged(coarse, alone, alone.model), seconds, alone.flat, None)
    blank = dict.fromkeys(("fine (95 %)", "val fine", "log loss", "val log-loss", "calibration error"), "")
    return [*lines, of_coarse | blank]


def write(tables: dict[str, list[dict[str, Any]]], on: dict[str, Any], quick: bool) -> None:
    stem = harness.RESULTS / ("hierarchy-quick" if quick else "hierarchy")
    versions = ", ".join(f"{package} {version}" for package, version in on["versions"].items())
    page = [
        "# Hierarchies", "",
        f"`python benchmarks/hierarchy.py{' --quick' if quick else ''}`, {date.today().isoformat()}.",
        f"Machine: {on['cpu']}, {on['cores']} cores, {on['system']}, load {on['load_before']} before the run. {versions}.", "",
        *(__doc__ or "").strip().splitlines(),
    ]  # fmt: skip
    for preset, lines in tables.items():
        rows = [list(lines[0]), *([str(value) for value in one.values()] for one in lines)]
        cells = [f"| {' | '.join(row)} |" for row in rows]
        page += ["", f"## {preset}", "", cells[0], "|" + "---|" * len(rows[0]), *cells[1:]]
        told = dict(zip(("default", "coarse"), (lines[0], lines[-1]), strict=True))
        page += ["", f"- Coarse, test: flat {told['default']['coarse (95 %)']}, "
                 f"coarse labels alone {told['coarse']['coarse (95 %)']}."]  # fmt: skip
    stem.with_suffix(".json").write_text(json.dumps({"machine": on, "tables": tables}, indent=1) + "\n")
    stem.with_suffix(".md").write_text("\n".join(page) + "\n")
    print("\n".join(page))


def main() -> None:
    options, on = harness.arguments(__doc__), harness.machine()
    prepare()
    presets = QUICK if options.quick else PRESETS
    last = "val" if options.quick else "test"  # a quick run is no look at the test photos
    tables = {}
    for name, of in presets.items():
        tables[name] = table(Shop.read(*of, last), options.quick)
        write(tables, on, options.quick)


if __name__ == "__main__":
    main()
