"""Learn a head for the real Cdiscount tree, with what it says of every row left out, all levels, and a specialist a branch.

The tree is that of category_names.csv: 49 branches, 483 shelves, 5,270 categories. Rows are drawn around centers that lie
closer together the closer their categories stand in the tree; categories are as uneven as described for the real ones, of
which 134 hold half of the products and 1,778 fewer than 100: a lognormal distribution with a sigma of 1.95. scikit-learn's
logistic regression would take hours here, so it is measured on a twentieth of the rows and a tenth of the categories and
projected: an iteration costs rows x categories x dimension; the number of iterations is kept.
"""

from __future__ import annotations

import csv
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import harness

NAMES = harness.DATA.parent / "formats" / "cdiscount" / "category_names.csv"
FULL, SMALL, LOGISTIC = "shelfwise, full size", "one ridge head, beside", "LogisticRegression, beside"
ASKED = ("head, s", "levels, s", "specialists, s", "levels, all left out, s")
LIMIT_S, LIMIT_MIB, MERGE_S = 600, 6 * 1024, 1
SIGMA = 1.95
NOISE = 6
# What suits the rows of ridge.py best; one fit with a penalty that is given to it.
INVERSE_PENALTY = 3
PENALTY = 0.1


@dataclass(frozen=True)
class Size:
    rows: int
    categories: int | None
    dimension: int = 1280

    def tree(self) -> Any:
        """The columns: all categories, or every so many-th."""
        from shelfwise.columns import Columns
        from shelfwise.taxonomy import Node, Taxonomy

        nodes: dict[str, Node] = {}
        leaves = []
        with NAMES.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                top, middle = row["category_level1"], f"{row['category_level1']}/{row['category_level2']}"
                nodes.setdefault(top, Node(top, row["category_level1"], None))
                nodes.setdefault(middle, Node(middle, row["category_level2"], top))
                leaf = f"{row['category_id']}"
                nodes[leaf] = Node(leaf, f"{row['category_level3']} {leaf}", middle)
                leaves.append(leaf)
        step = -(-len(leaves) // self.categories) if self.categories else 1
        return Columns(tuple(leaves[::step]), Taxonomy(nodes.values()))

    def draw(self, columns: Any, seed: int, fresh: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Unit rows and their columns, two of each category at least unless they are fresh; the same centers for every seed."""
        of_centers = np.random.default_rng(0)
        center = np.zeros((len(columns), self.dimension), dtype=np.float32)
        for level, nodes in enumerate(columns.level_nodes):
            of_level = of_centers.standard_normal((len(nodes), self.dimension), dtype=np.float32)
            center += of_level[columns.level_of[level]] / np.float32(np.sqrt(len(columns.level_nodes)))
        share = of_centers.lognormal(0, SIGMA, len(columns))
        rng, n = np.random.default_rng(seed), fresh or self.rows
        twice = np.tile(np.arange(len(columns)), 0 if fresh else 2)
        drawn = rng.choice(len(columns), n - len(twice), p=share / share.sum())
        column = np.concatenate([twice, drawn]).astype(np.int32)
        rng.shuffle(column)
        x = rng.standard_normal((n, self.dimension), dtype=np.float32)
        for start in range(0, n, 4096):
            block = slice(start, start + 4096)
            x[block] = NOISE * x[block] + center[column[block]]
            x[block] /= np.linalg.norm(x[block], axis=1, keepdims=True)
        return x, column


def sizes(quick: bool) -> tuple[Size, Size]:
    return (Size(10_000, 500), Size(1_000, 100)) if quick else (Size(200_000, None), Size(10_000, 527))


def whole(size: Size) -> harness.Turn:
    from shelfwise.train.heads.ridge import learn_ridge
    from shelfwise.train.rows import Grouping, TrainingRows
    from shelfwise.train.trees.flat_head import FlatHead
    from shelfwise.train.trees.level_heads import learn_levels
    from shelfwise.train.trees.specialists import learn_soft

    columns = size.tree()
    x, column = size.draw(columns, 1)
    alone = np.arange(len(x))
    rows = TrainingRows(x, column, len(columns), Grouping(alone, alone))

    def turn() -> dict[str, Any]:
        clock = Clock()
        start = FlatHead.learn(rows, columns, learn_ridge)
        clock("head, s")
        levels = learn_levels(start)
        clock("levels, s")
        soft = learn_soft(start)
        clock("specialists, s")
        right = shares_right(levels, rows, columns)
        clock("levels, all left out, s")
        specialists_right = shares_right(soft, rows, columns)
        clock("specialists, all left out, s")
        learned = sum(group["specialist"] is not None for group in soft.facts["groups"])
        return clock.seconds | {
            "size": f"{len(x):,} x {size.dimension:,}, {len(columns):,} categories",
            "specialists": f"{learned} of {len(soft.facts['groups'])}",
            "levels, left out, right": right,
            "specialists, left out, right": specialists_right,
        }

    return turn


class Clock:
    def __init__(self) -> None:
        self.last, self.seconds = time.perf_counter(), {}

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self.last = round(now - self.last, 2), now
        print(f"{name}: {self.seconds[name]}", file=sys.stderr)


def shares_right(model: Any, rows: Any, columns: Any) -> str:
    """Ask about all rows left out, in blocks; the share right at each level."""
    right = np.zeros(len(columns.level_nodes))
    for start in range(0, len(rows), 2048):
        block = np.arange(start, min(start + 2048, len(rows)))
        said = np.exp(model.held_out("leave_one_out", block))
        for level in range(len(right)):
            answer = columns.summed(said, level).argmax(axis=1)
            right[level] += (answer == columns.level_of[level][rows.column[block]]).sum()
    return " / ".join(f"{share:.3f}" for share in right / len(rows))


def one_head(size: Size) -> harness.Turn:
    """Statistics, decomposition and head at a given penalty; then two categories merged, without the rows.

    Merging changes the column of the merged category alone; it is solved for anew, and has to be the sum of the two.
    """
    from shelfwise.statistics.ridge import Spectrum, fit
    from shelfwise.statistics.solve import System
    from shelfwise.statistics.sufficient import SufficientStatistics

    columns = size.tree()
    x, column = size.draw(columns, 1)
    fresh, truth = size.draw(columns, 2, 5000)

    def turn() -> dict[str, Any]:
        clock = Clock()
        statistics = SufficientStatistics(x.shape[1], len(columns))
        statistics.add(x, column)
        clock("statistics, s")
        spectrum = Spectrum.from_statistics(statistics)
        head = fit(spectrum, statistics, PENALTY)
        clock("head, s")
        into = np.append(np.arange(len(columns) - 1), 0)
        merged = statistics.grouped(into, len(columns) - 1)
        of_merged = System.of(merged, PENALTY).head(merged.sums[:, :1], merged.counts[:1])
        weight, intercept = head.weight[:, :-1].copy(), head.intercept[:-1].copy()
        weight[:, 0], intercept[0] = of_merged.weight[:, 0], of_merged.intercept[0]
        clock("merge, s")
        off = np.abs(weight[:, 0] - head.weight[:, 0] - head.weight[:, -1]).max() / np.abs(weight).max()
        right = float((head.scores(fresh).argmax(axis=1) == truth).mean())
        return clock.seconds | {"fresh rows right": right, "merged column, off by": f"{off:.0e}"}

    return turn


def logistic(size: Size) -> harness.Turn:
    from sklearn.linear_model import LogisticRegression

    columns = size.tree()
    x, column = size.draw(columns, 1)
    fresh, truth = size.draw(columns, 2, 5000)

    def turn() -> dict[str, Any]:
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300).fit(x, column)
        right = float((model.predict(fresh) == truth).mean())
        return {"fresh rows right": right, "iterations": int(model.n_iter_.max())}

    return turn


HEAD = "one ridge head, full size"


def main() -> None:
    options = harness.arguments(__doc__)
    if not NAMES.exists():
        sys.exit(f"tree_scale.py: Cdiscount's category_names.csv is not at {NAMES}: set SHELFWISE_DATA")
    full, small = sizes(options.quick)
    sides = {
        FULL: partial(whole, full), HEAD: partial(one_head, full),
        SMALL: partial(one_head, small), LOGISTIC: partial(logistic, small),
    }  # fmt: skip
    if options.side:
        harness.serve(sides[options.side])
        return
    on, turns = harness.machine(), options.turns or 3
    done = harness.alternate(__file__, [FULL], options, 1)
    done |= harness.alternate(__file__, [HEAD], options, turns)
    done |= harness.alternate(__file__, [SMALL, LOGISTIC], options, turns)
    growth = full.rows * len(full.tree()) / (small.rows * len(small.tree()))
    projected_s = done[LOGISTIC].median_s * growth
    asked_s = sum(done[FULL].facts[phase] for phase in ASKED)
    ratios = [
        harness.Ratio(f"{LIMIT_S} s over head, levels, branches, all left out", LIMIT_S / asked_s, 1),
        harness.Ratio(f"{LIMIT_S} s over that and the branches' answers left out", LIMIT_S / done[FULL].median_s, 1),
        harness.Ratio(f"{LIMIT_MIB} MiB over its peak memory", LIMIT_MIB / done[FULL].peak_mib, 1),
        harness.Ratio("one head, full size, logistic projected", projected_s / done[HEAD].median_s, 100),
        harness.ratio("one head over LogisticRegression, both beside", done[LOGISTIC], done[SMALL], 1),
        harness.Ratio(f"{MERGE_S} s over merging two categories", MERGE_S / done[HEAD].facts["merge, s"], 1),
    ]
    notes = [
        f"LogisticRegression projected to the full size: {projected_s:,.0f} s for one fit, the measured seconds times the "
        f"growth of rows x categories ({growth:,.0f}), with as many iterations: an estimate, on the low side.",
        "The full size chooses its penalty among fourteen, for the head for all and for each specialist, fits temperatures, "
        "and says what levels and specialists would have answered for each row left out; one head is fitted at a given penalty "
        "as the logistic regression is.",
        f"Peak memory includes the rows themselves: {full.rows * full.dimension * 4 / 2**20:,.0f} MiB at the full size.",
    ]
    harness.write("tree_scale", "A real tree", list(done.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
