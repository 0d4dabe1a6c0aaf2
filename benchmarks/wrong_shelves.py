"""Products moved to wrong shelves, found again: precision and time beside cleanlab on the same vectors; and the size that fits.

Of the Grocery Store Dataset's official training and validation photos, 5 % are moved, to any other category or to a sibling.
k is the number of those moved; precision is the share of moved ones among the first k. Both sides are given the vectors.
Ours learns, chooses its penalty and judges by leaving products out; cleanlab needs probabilities from elsewhere: 5 folds of
scikit-learn's LogisticRegression, or 5 folds of our own ridge. The full size is judged on drawn vectors that are never all in
memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import harness

SEEDS, SHARE, FOLDS = range(5), 0.05, 5
KINDS = ("random", "sibling")
OURS, OURS_RIDGE = "shelfwise", "cleanlab on 5 folds of our ridge"
LOGISTIC = "cleanlab on 5 folds of LogisticRegression"
FULL = "shelfwise, full size"
# The best for cleanlab of 1, 10, 100, 1000 (lite0, first seed), by precision.
INVERSE_PENALTY = 100
CATALOG = Path(__file__).parent / "data" / "grocery.catalog"


@dataclass(frozen=True)
class Shop:
    """Vectors x (n, d), their category (n,), and the tree."""

    x: np.ndarray
    category: np.ndarray
    inventory: Any
    taxonomy: Any

    @property
    def d(self) -> int:
        return self.x.shape[1]

    def read(self, products: np.ndarray) -> np.ndarray:
        return self.x[products]

    @property
    def parents(self) -> np.ndarray:
        return np.array([self.taxonomy.nodes[c].parent for c in self.inventory.categories])

    def moved(self, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the categories with 5 % of the products moved, and which they are."""
        rng, category, parents = np.random.default_rng(seed), self.category.copy(), self.parents
        every = np.arange(len(parents))
        others = [every[(every != c) & ((kind == "random") | (parents == parents[c]))] for c in every]
        able = np.flatnonzero([len(others[c]) > 0 for c in category])
        rows = rng.choice(able, round(SHARE * len(category)), replace=False)
        category[rows] = [rng.choice(others[c]) for c in category[rows]]
        return category, np.isin(np.arange(len(category)), rows)


def prepare() -> None:
    """Ingest and embed Grocery, where that was not done before."""
    from shelfwise.embed import embed
    from shelfwise.ingest import GrocerySource, ingest
    from shelfwise.options import EmbedOptions

    if not CATALOG.exists():
        ingest(GrocerySource(harness.DATA / "grocery" / "dataset"), CATALOG)
    for options in (EmbedOptions(backbone="lite0"), EmbedOptions()):
        embed(CATALOG, options)


def shop(quick: bool) -> Shop:
    """Read the vectors of the products of the splits train and val."""
    from shelfwise.backbones.products import embedded_layout
    from shelfwise.catalog import Catalog
    from shelfwise.catalog.inventory import take_inventory
    from shelfwise.shelves.vectors import Vectors

    catalog = Catalog(CATALOG)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog, "lite0" if quick else None)
    products = np.flatnonzero(np.isin(inventory.split, [inventory.splits.index(name) for name in ("train", "val")]))
    vectors = Vectors(catalog, inventory, layout)
    return Shop(vectors.read(products), inventory.category[products], inventory, catalog.taxonomy)


def turn_of(side: str, quick: bool) -> harness.Turn:
    ranked = {OURS: ours, LOGISTIC: partial(cleanlab, logistic), OURS_RIDGE: partial(cleanlab, ridge)}[side]
    data = shop(quick)
    seeds = SEEDS[:1] if quick else SEEDS

    def turn() -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for kind in KINDS:
            found = []
            for seed in seeds:
                category, moved = data.moved(kind, seed)
                first = ranked(data, category)[: moved.sum()]
                found.append(moved[first].sum() / moved.sum())
            facts |= {f"{kind}: precision": float(np.mean(found)), f"{kind}: least": float(min(found))}
        return facts | {"runs": len(KINDS) * len(seeds)}

    return turn


def ours(data: Shop, category: np.ndarray) -> np.ndarray:
    from shelfwise.shelves.judge import judge_rows
    from shelfwise.shelves.left_out import Filed
    from shelfwise.shelves.rank import wrong_shelves

    every = np.arange(len(category))
    judged = judge_rows(data, Filed.of(every, category, every), category, len(data.inventory.categories))
    return wrong_shelves(judged, data.taxonomy, data.inventory, len(category)).product


def cleanlab(probabilities: Any, data: Shop, category: np.ndarray) -> np.ndarray:
    """Rank with cleanlab by self-confidence, the best of its scores and filters here."""
    from cleanlab.rank import get_label_quality_scores

    answers = probabilities(data, category)
    return np.argsort(get_label_quality_scores(category, answers, method="self_confidence"), kind="stable")


def logistic(data: Shop, category: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300, tol=1e-3)
    return cross_val_predict(model, data.x, category, cv=FOLDS, method="predict_proba")


def ridge(data: Shop, category: np.ndarray) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    from shelfwise.statistics.head import softmax
    from shelfwise.train.heads.ridge import learn_ridge
    from shelfwise.train.rows import Grouping, TrainingRows

    answers = np.empty((len(category), len(data.inventory.categories)))
    for learn, held in StratifiedKFold(FOLDS).split(data.x, category):
        alone = Grouping(np.arange(len(learn)), np.arange(len(learn)))
        learned = learn_ridge(TrainingRows(data.x[learn], category[learn], answers.shape[1], alone))
        answers[held] = softmax(learned.head.scores(data.x[held]), learned.temperature)
    return answers


@dataclass(frozen=True)
class Drawn:
    """Vectors around random centers, drawn when they are read: the same ones for the same products."""

    category: np.ndarray
    centers: np.ndarray

    @property
    def d(self) -> int:
        return self.centers.shape[1]

    def read(self, products: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(int(products[0])).standard_normal((len(products), self.d), dtype=np.float32)
        x = noise * 3 + self.centers[self.category[products]]
        return x / np.linalg.norm(x, axis=1, keepdims=True)


def full_size(quick: bool) -> harness.Turn:
    from shelfwise.shelves.judge import judge_rows
    from shelfwise.shelves.left_out import Filed

    n, c, d = (20_000, 500, 256) if quick else (200_000, 5270, 1280)
    rng = np.random.default_rng(0)
    true = rng.permutation(np.arange(n) % c).astype(np.int32)
    rows = Drawn(true, rng.standard_normal((c, d), dtype=np.float32))
    moved = rng.random(n) < SHARE
    category = np.where(moved, rng.integers(0, c, n), true).astype(np.int32)

    def turn() -> dict[str, Any]:
        judged = judge_rows(rows, Filed.of(np.arange(n), category, np.arange(n)), category, c)
        first = np.argsort(judged.own, kind="stable")[: moved.sum()]
        return {"size": f"{n:,} x {d:,}, {c:,} categories", "random: precision": float(moved[first].mean())}

    return turn


def main() -> None:
    options = harness.arguments(__doc__)
    if options.side:
        side = full_size if options.side == FULL else partial(turn_of, options.side)
        harness.serve(partial(side, options.quick))
        return
    prepare()
    on, turns = harness.machine(), options.turns or 1
    done = harness.alternate(__file__, [OURS, LOGISTIC, OURS_RIDGE], options, turns)
    done |= harness.alternate(__file__, [FULL], options, turns)
    mine, other = done[OURS], done[LOGISTIC]
    ratios = [
        harness.ratio("shelfwise over cleanlab with 5 folds of LogisticRegression", other, mine, 1),
        harness.ratio("shelfwise over cleanlab with 5 folds of our ridge", done[OURS_RIDGE], mine, 1),
    ]
    for kind in KINDS:
        best = max(side.facts[f"{kind}: precision"] for side in (other, done[OURS_RIDGE]))
        precision = mine.facts[f"{kind}: precision"]
        ratios.append(harness.Ratio(f"precision, {kind}, over the better of cleanlab's", precision / best, 1))
    ratios.append(harness.Ratio("precision, random, over 0.97", mine.facts["random: precision"] / 0.97, 1))
    notes = [
        "Seconds are those of all runs together: two kinds of moves, each with the same seeds for every side.",
        "cleanlab ranks by self-confidence, the best of its three scores, of those adjusted by thresholds, and of "
        "find_label_issues with three filters (docs/experiments.md); its seconds include the folds.",
    ]
    harness.write("wrong_shelves", "Wrong shelves", list(done.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
