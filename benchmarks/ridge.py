"""Ridge with leave-one-out scores of every row, alone at full size, and beside scikit-learn's LogisticRegression.

Rows are random vectors around random category centers. The full size is 50,000 x 1,280 with 1,000 categories; where
both sides run it is smaller, as the logistic regression would take hours. Ridge chooses its penalty among several and
says how it would have answered every row had it not learned from it; the logistic regression is fitted once, with a
penalty that is given to it, and has no such scores. Both are scored on fresh rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import harness

FULL, SMALL = "ridge, full size", "ridge, beside"
LOGISTIC = "LogisticRegression, beside"
LIMIT_S, LIMIT_MIB = 60, 2048
# Spread around the centers, whose own spread is 1: about as hard as real photos are.
BLOCK_ROWS = 2048
NOISE = 6
# What suits these rows best of 3, 30 and 300, which the logistic head of `train` tries (2,000 rows, 100 categories).
INVERSE_PENALTY = 3


@dataclass(frozen=True)
class Size:
    rows: int
    categories: int
    dimension: int = 1280

    def __str__(self) -> str:
        return f"{self.rows:,} x {self.dimension:,}, {self.categories:,} categories"

    def draw(self, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Unit rows, every category about as often as any other; the same centers for every seed."""
        centers = np.random.default_rng(0).standard_normal((self.categories, self.dimension), dtype=np.float32)
        rng = np.random.default_rng(seed)
        column = rng.permutation(np.arange(rows) % self.categories).astype(np.int32)
        x = NOISE * rng.standard_normal((rows, self.dimension), dtype=np.float32)
        for start in range(0, rows, 4096):
            x[start : start + 4096] += centers[column[start : start + 4096]]
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, column


def sizes(quick: bool) -> tuple[Size, Size]:
    return (Size(10_000, 200), Size(1_000, 50)) if quick else (Size(50_000, 1000), Size(5_000, 200))


def ridge(size: Size) -> harness.Turn:
    from shelfwise.train.heads.ridge import learn_ridge
    from shelfwise.train.rows import Grouping, TrainingRows

    x, column = size.draw(size.rows, 1)
    fresh, truth = size.draw(min(size.rows, 5000), 2)
    alone = np.arange(size.rows)
    training = TrainingRows(x, column, size.categories, Grouping(alone, alone))

    def turn() -> dict[str, Any]:
        learned = learn_ridge(training)
        right = 0
        for start in range(0, size.rows, BLOCK_ROWS):
            rows = alone[start : start + BLOCK_ROWS]
            right += int((learned.held_out("leave_one_out", rows).argmax(axis=1) == column[rows]).sum())
        answers = learned.head.scores(fresh).argmax(axis=1)
        return {
            "size": str(size),
            "fresh rows right": float((answers == truth).mean()),
            "left out, right": right / len(x),
        }

    return turn


def logistic(size: Size) -> harness.Turn:
    from sklearn.linear_model import LogisticRegression

    x, column = size.draw(size.rows, 1)
    fresh, truth = size.draw(min(size.rows, 5000), 2)

    def turn() -> dict[str, Any]:
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300).fit(x, column)
        right = float((model.predict(fresh) == truth).mean())
        return {"size": str(size), "fresh rows right": right, "iterations": int(model.n_iter_.max())}

    return turn


def main() -> None:
    options = harness.arguments(__doc__)
    full, small = sizes(options.quick)
    sides = {FULL: partial(ridge, full), SMALL: partial(ridge, small), LOGISTIC: partial(logistic, small)}
    if options.side:
        harness.serve(sides[options.side])
        return
    on, turns = harness.machine(), options.turns or 3
    alone = harness.alternate(__file__, [FULL], options, 1 if options.quick else turns)
    beside = harness.alternate(__file__, [SMALL, LOGISTIC], options, turns)
    done = alone | beside
    # An iteration of the logistic regression costs rows x categories x dimension; the number of iterations is kept.
    growth = (full.rows * full.categories) / (small.rows * small.categories)
    projected_s = done[LOGISTIC].median_s * growth
    ratios = [
        harness.ratio("ridge with leave-one-out over LogisticRegression, both beside", done[LOGISTIC], done[SMALL], 1),
        harness.Ratio(f"the same at {full}, logistic projected", projected_s / done[FULL].median_s, 100),
        harness.Ratio(f"{LIMIT_S} s over the full size", LIMIT_S / done[FULL].median_s, 1),
        harness.Ratio(f"{LIMIT_MIB} MiB over its peak memory", LIMIT_MIB / done[FULL].peak_mib, 1),
    ]
    notes = [
        f"LogisticRegression projected to {full}: {projected_s:,.0f} s, the measured seconds times the growth of rows x "
        f"categories ({growth:,.0f}), with as many iterations: an estimate, on the low side.",
        "Peak memory is that of the whole process with the interpreter, the packages and the rows themselves "
        f"({full.rows * full.dimension * 4 / 2**20:,.0f} MiB at the full size).",
    ]
    harness.write("ridge", "A head with honest scores", list(done.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
