"""How certain the answers on the Grocery Store Dataset are: calibration, thresholds, sets, and photos of nothing in the catalog.

What is chosen is chosen on the official training and validation photos: calibration cross-fitted on validation, thresholds and
sets set on three quarters of validation and judged on the rest, familiarity on categories that were not learned and on photos
of people from CCP. The test photos are looked at once, with everything fixed; a quick run does not look.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import harness

CATALOG = Path(__file__).parent / "data" / "grocery.catalog"
MAX_ERROR, LEFT_OUT_CATEGORIES, STRANGE_PHOTOS = 0.05, 16, 140
Tables = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Shop:
    """Training products, and what the default classifier says of validation: log-probabilities (p, c), truth (p,)."""

    train: Any
    val: Any
    columns: Any
    groups: Any
    layout: Any
    told: np.ndarray
    truth: np.ndarray

    @classmethod
    def read(cls) -> Shop:
        from shelfwise.backbones.products import embedded_layout, read_products
        from shelfwise.catalog import Catalog
        from shelfwise.columns import Columns
        from shelfwise.train.rows import group_products

        if not CATALOG.exists():
            sys.exit(f"certainty.py: {CATALOG} is not there: run benchmarks/hierarchy.py first, which makes it")
        opened = Catalog(CATALOG)
        layout = embedded_layout(opened)
        train, val = (read_products(opened, layout, [split]) for split in ("train", "val"))
        columns = Columns(
            tuple(c for c in opened.taxonomy.nodes_in_order if c in set(train.categories)), opened.taxonomy
        )
        groups = group_products(train, columns.of(train.categories))
        told = learned_head(train.x, columns.of(train.categories), groups, len(columns))(val.x)
        return cls(train, val, columns, groups, layout, told, columns.of(val.categories))

    def answers(self, probabilities: np.ndarray, rows: np.ndarray) -> Any:
        from shelfwise.metrics.answers import Answers

        return Answers.from_probabilities(rows.astype(str), self.truth[rows], probabilities, self.columns)


def learned_head(x: np.ndarray, column: np.ndarray, groups: Any, categories: int) -> Callable[[np.ndarray], np.ndarray]:
    from shelfwise.classifiers.flat import log_softmax
    from shelfwise.train.heads.ridge import learn_ridge
    from shelfwise.train.rows import TrainingRows

    learned = learn_ridge(TrainingRows(x, column, categories, groups))
    return lambda asked: log_softmax(learned.head.scores(asked), learned.temperature)


def calibrations(shop: Shop, repeats: int) -> list[dict[str, Any]]:
    """Compare calibrations, cross-fitted in five folds of validation, with what a perfect one would show by chance."""
    from shelfwise.classifiers.calibration import Calibration
    from shelfwise.metrics.classification import score
    from shelfwise.statistics.calibration import fit_temperature
    from shelfwise.train.calibrate import fit_calibration

    def of_levels(told: np.ndarray, truth: np.ndarray) -> Any:
        return Calibration(fit_calibration(told, truth, shop.columns).temperatures)

    fits = {
        "one temperature": lambda told, truth: Calibration((fit_temperature(told, truth),)),
        "a temperature a level": of_levels,
        "a temperature a level, and a line": lambda told, truth: fit_calibration(told, truth, shop.columns),
    }
    return [{"calibration": name} | _cross_fitted(shop, fit, repeats, score) for name, fit in fits.items()]


def _cross_fitted(shop: Shop, fit: Callable[..., Any], repeats: int, score: Callable[..., Any]) -> dict[str, Any]:
    rng, everyone, found = np.random.default_rng(0), np.arange(len(shop.truth)), []
    for _ in range(repeats):
        fold, probabilities = rng.permutation(len(everyone)) % 5, np.empty_like(shop.told)
        for number in range(5):
            kept, asked = fold != number, fold == number
            calibration = fit(shop.told[kept], shop.truth[kept])
            probabilities[asked] = calibration.apply(shop.told[asked], shop.columns)
        answers = shop.answers(probabilities, everyone)
        loss = score(answers, resamples=0).figures["log_loss"].value
        by_chance = np.mean(
            [ece(answers.confidence, rng.random(len(everyone)) < answers.confidence) for _ in range(20)]
        )
        levels = [
            ece(answers.level_probability[:, level], answers.level_top[:, level] == answers.level_truth[:, level])
            for level in range(3)
        ]
        found.append([loss, ece(answers.confidence, answers.right), by_chance, *levels])
    names = ["log-loss", "ECE", "ECE if perfect", *(f"ECE {name}" for name in shop.columns.taxonomy.level_names)]
    return dict(zip(names, np.mean(found, axis=0).round(4).tolist(), strict=True))


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    from shelfwise.metrics.calibration import BINS, bin_of

    return float(np.abs(np.bincount(bin_of(confidence), confidence - right, BINS)).sum() / len(right))


def thresholds(shop: Shop, repeats: int) -> list[dict[str, Any]]:
    """Set thresholds on three quarters of validation and judge them on the rest, again and again."""
    from shelfwise.classifiers.certainty import deepest, threshold_for, wrong_at
    from shelfwise.train.calibrate import cross_calibrated

    rules: dict[str, Callable[[Any], float]] = {
        "plug-in: error of the held-out answers at most 5 %": plug_in,
        "guaranteed, confidence 0.8": lambda held_out: threshold_for(held_out, MAX_ERROR, 0.8).bar,
        "guaranteed, confidence 0.9": lambda held_out: threshold_for(held_out, MAX_ERROR, 0.9).bar,
        "guaranteed, confidence 0.95": lambda held_out: threshold_for(held_out, MAX_ERROR, 0.95).bar,
    }
    rng, found = np.random.default_rng(1), {name: [] for name in rules}
    for _ in range(repeats):
        drawn = rng.permutation(len(shop.truth))
        kept, asked = np.sort(drawn[: 3 * len(drawn) // 4]), np.sort(drawn[3 * len(drawn) // 4 :])
        crossed = cross_calibrated(
            shop.told[kept], shop.truth[kept], shop.columns, np.arange(len(kept)), np.arange(len(kept))
        )
        held_out = shop.answers(crossed.apply(shop.told[kept], shop.columns, np.arange(len(kept))), kept)
        others = shop.answers(crossed.calibration.apply(shop.told[asked], shop.columns), asked)
        for name, rule in rules.items():
            depth = deepest(others.way, others.way_probability, shop.columns, rule(held_out))
            wrong, given = wrong_at(others, depth).sum(), (depth > 0).sum()
            found[name].append([wrong, given, (depth > 1).mean(), (depth > 2).mean(), wrong > MAX_ERROR * given])
    rows = []
    for name, values in found.items():
        wrong, given, coarse, fine, broken = np.mean(values, axis=0)
        share = given / (len(shop.truth) - 3 * len(shop.truth) // 4)
        rows.append({"threshold": name, "wrong of those given": wrong / given, "given": share, "coarse or deeper": coarse,
                     "fine": fine, "draws with more than 5 % wrong": broken})  # fmt: skip
    return rows


def plug_in(held_out: Any) -> float:
    from shelfwise.classifiers.certainty import GRID, deepest, wrong_at

    bar = np.inf
    for value in GRID:
        depth = deepest(held_out.way, held_out.way_probability, held_out.columns, value)
        if (depth > 0).any() and wrong_at(held_out, depth).sum() <= MAX_ERROR * (depth > 0).sum():
            bar = value
    return float(bar)


def strangers(shop: Shop, draws: int) -> list[dict[str, Any]]:
    """Leave categories out of learning, and tell their validation photos, and photos of people, from the known ones."""
    from shelfwise.classifiers.familiarity import score_of, unit

    rng, column, far = np.random.default_rng(0), shop.columns.of(shop.train.categories), far_photos(shop)
    found: dict[str, list[list[float]]] = {}
    for _ in range(draws):
        out = rng.permutation(len(shop.columns))[:LEFT_OUT_CATEGORIES]
        kept = np.flatnonzero(~np.isin(column, out))
        _, learned = np.unique(column[kept], return_inverse=True)
        x, categories = shop.train.x[kept], len(shop.columns) - len(out)
        tell = learned_head(x, learned.astype(np.int32), shop.groups.take(kept), categories)
        means = np.stack([x[learned == c].mean(axis=0) for c in range(categories)])
        center = means.mean(axis=0)
        known = ~np.isin(shop.truth, out)
        asked = {"known": shop.val.x[known], "near": shop.val.x[~known], "far": far}
        best = {name: tell(rows).max(axis=1) for name, rows in asked.items()}
        cosine = {name: (unit(rows - center) @ unit(means - center).T).max(axis=1) for name, rows in asked.items()}
        scores = {
            "best probability": best, "cosine to the nearest mean": cosine,
            "both (familiarity)": {name: score_of(cosine[name], best[name]) for name in asked},
        }  # fmt: skip
        for name, of in scores.items():
            bar = np.quantile(of["known"], 0.02)
            found.setdefault(name, []).append(
                [
                    auroc(of["known"], of["near"]),
                    auroc(of["known"], of["far"]),
                    (of["near"] <= bar).mean(),
                    (of["far"] <= bar).mean(),
                ]
            )
    names = (
        "AUROC, categories not learned",
        "AUROC, people",
        "found of the first at 2 % of the known",
        "found of the second",
    )
    return [{"score": name} | dict(zip(names, np.mean(v, axis=0).tolist(), strict=True)) for name, v in found.items()]


def far_photos(shop: Shop) -> np.ndarray:
    from shelfwise.backbones.extractor import Extractor

    paths = sorted((harness.DATA / "ccp" / "photos").rglob("*.jpg"))
    pictures = [path.read_bytes() for path in paths[:: max(1, len(paths) // STRANGE_PHOTOS)][:STRANGE_PHOTOS]]
    extractors = [Extractor(spec) for spec in shop.layout.specs]
    parts = [pictures[start : start + 16] for start in range(0, len(pictures), 16)]
    return np.concatenate(
        [shop.layout.features([e.vectors_of(p).astype(np.float16) for e in extractors]) for p in parts]
    )


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.ones(len(known)), np.zeros(len(strange))])
    return float(roc_auc_score(truth, np.concatenate([known, strange])))


def test_look() -> Tables:
    """Train the default bundle and evaluate it on the test split: the one look."""
    from shelfwise.backbones.products import read_products
    from shelfwise.bundle import Bundle
    from shelfwise.catalog import Catalog
    from shelfwise.classifiers.certainty import in_sets, set_bar
    from shelfwise.evaluate import evaluate
    from shelfwise.options import EvaluateOptions
    from shelfwise.train import train

    with tempfile.TemporaryDirectory() as folder:
        train(CATALOG, Path(folder) / "g.bundle")
        bundle = Bundle.load(Path(folder) / "g.bundle")
    summaries = {
        error: evaluate(bundle, CATALOG, options=EvaluateOptions(max_error=error)).metrics
        for error in (0.02, 0.05, 0.1)
    }
    metrics = summaries[MAX_ERROR]
    figures = {
        "top-1": metrics["top1"],
        "calibration error": metrics["calibration_error"],
        "log-loss": metrics["log_loss"],
    }
    stops = [
        {"asked": error, "threshold": m["abstention"]["threshold"], "answers": name, "of all": interval(of["coverage"]),
         "wrong": interval(of["error"])}
        for error, m in summaries.items()
        for name, of in [("all", m["abstention"]), *m["abstention"]["levels"].items()]
    ]  # fmt: skip
    data = read_products(Catalog(CATALOG), bundle.layout, ["test"])
    probabilities, familiarity = bundle.answered(data.x)
    truth, held_out = bundle.columns.of(data.categories), bundle.held_out()
    sets = []
    for missed in (0.02, 0.05, 0.1):
        chosen = in_sets(probabilities, set_bar(held_out, missed))
        sets.append({"asked": 1 - missed, "held the right one": float(chosen[np.arange(len(truth)), truth].mean()),
                     "mean size": float(chosen.sum(axis=1).mean()),
                     "sets of one": float((chosen.sum(axis=1) == 1).mean())})  # fmt: skip
    levels = []
    for level, name in enumerate(bundle.taxonomy.level_names):
        of_level = bundle.columns.summed(probabilities, level)
        right = of_level.argmax(axis=1) == bundle.columns.level_of[level][truth]
        levels.append({"level": name, "top-1": float(right.mean()), "ECE": ece(of_level.max(axis=1), right)})
    known = [
        {"share": share, "test photos at or below": float((familiarity <= share).mean())}
        for share in (0.01, 0.02, 0.05, 0.2)
    ]
    return {"Test: figures": [{"figure": n, "value": interval(f)} for n, f in figures.items()], "Test: levels": levels,
            "Test: answers that stop": stops, "Test: sets": sets, "Test: familiarity of known products": known}  # fmt: skip


def interval(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "-"
    return f"{found['value']:.4f} ({found['low']:.4f} - {found['high']:.4f})"


def page(tables: Tables, on: dict[str, Any], quick: bool) -> str:
    command = f"python benchmarks/certainty.py{' --quick' if quick else ''}"
    lines = [
        "# Certainty on Grocery",
        "",
        f"`{command}`, {date.today().isoformat()}. Machine: {on['cpu']}, {on['cores']} cores.",
    ]
    for title, rows in tables.items():
        cells = [[f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
        lines += ["", f"## {title}", "", f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0])]
        lines += [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join(lines) + "\n"


def main() -> None:
    options, on = harness.arguments(__doc__), harness.machine()
    shop, quick = Shop.read(), options.quick
    tables: Tables = {
        "Validation: calibration, cross-fitted": calibrations(shop, 2 if quick else 10),
        "Validation: thresholds for at most 5 % wrong": thresholds(shop, 5 if quick else 60),
        "Validation: photos of nothing in the catalog": strangers(shop, 1 if quick else 3),
    }
    tables |= {} if quick else test_look()
    stem = harness.RESULTS / ("certainty-quick" if quick else "certainty")
    stem.with_suffix(".json").write_text(json.dumps({"machine": on, "tables": tables}, indent=1) + "\n")
    stem.with_suffix(".md").write_text(page(tables, on, quick))
    print(page(tables, on, quick))


if __name__ == "__main__":
    main()
