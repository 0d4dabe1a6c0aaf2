"""Measure what int8 costs each backbone on Grocery's training and validation photos: the figures on the cards.

Each backbone's fp32 and int8 vectors of the same photos go through the same ridge head, judged three ways: on the
validation split, the other way round (learned from validation, judged on train), and with look-alikes left out. The cost
is the difference of all answers together, in points. The test split is not touched.

    python benchmarks/int8_cost.py lite0@320:2/middle lite2@340:2/middle
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import DATA, RESULTS, machine
from shelfwise.backbones import Extractor, FeatureLayout
from shelfwise.backbones.cards import parse_spec
from shelfwise.engines import available_cores, map_ordered
from shelfwise.statistics.clusters import look_alike_clusters
from shelfwise.statistics.head import Head
from shelfwise.statistics.leave_out import left_out_scores
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import SufficientStatistics

DATASET = DATA / "grocery/dataset"
PENALTY = 0.1


def listed(split: str) -> tuple[list[Path], np.ndarray]:
    rows = [line.split(",") for line in (DATASET / f"{split}.txt").read_text().splitlines()]
    return [DATASET / row[0].strip() for row in rows], np.array([int(row[1]) for row in rows])


def features(extractor: Extractor, files: list[Path]) -> np.ndarray:
    batches = [files[start : start + 8] for start in range(0, len(files), 8)]
    found = map_ordered(lambda b: extractor.vectors_of([f.read_bytes() for f in b]), batches, available_cores())
    return FeatureLayout((extractor.spec,)).features([np.concatenate(list(found)).astype(np.float16)])


def learned(x: np.ndarray, y: np.ndarray) -> tuple[Spectrum, SufficientStatistics, Head]:
    statistics = SufficientStatistics(x.shape[1], 81)
    statistics.add(x, y)
    spectrum = Spectrum.from_rows(x) if len(x) < x.shape[1] else Spectrum.from_statistics(statistics)
    return spectrum, statistics, fit(spectrum, statistics, PENALTY)


def right_answers(x: np.ndarray, y: np.ndarray, v: np.ndarray, w: np.ndarray, clusters: np.ndarray) -> list[int]:
    """Count right answers on validation, on train from validation, and on train with look-alikes left out."""
    spectrum, statistics, head = learned(x, y)
    blocks = left_out_scores(spectrum, statistics, PENALTY, x, y, clusters)
    left_out = sum(int((scores.argmax(1) == y[rows]).sum()) for rows, scores in blocks)
    back = learned(v, w)[2]
    return [int((head.scores(v).argmax(1) == w).sum()), int((back.scores(x).argmax(1) == y).sum()), left_out]


def main(names: list[str]) -> None:
    (train, y), (val, w) = listed("train"), listed("val")
    rows = []
    for name in names:
        counts, clusters = {}, None
        for precision in ("fp32", "int8"):
            extractor = Extractor(replace(parse_spec(name), precision=precision))
            x, v = features(extractor, train), features(extractor, val)
            clusters = look_alike_clusters(x, y) if clusters is None else clusters  # the same groups for both
            counts[precision] = right_answers(x, y, v, w, clusters)
        n = 2 * len(train) + len(val)
        cost = 100 * (sum(counts["fp32"]) - sum(counts["int8"])) / n
        rows.append(
            {"backbone": name, **counts, "of": [len(val), len(train), len(train)], "cost_points": round(cost, 2)}
        )
        print(rows[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "rows": rows}, indent=1)
    (RESULTS / "int8_cost.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["lite0", "lite0:2", "lite1", "lite2", "lite0@320:2/middle", "lite2@340:2/middle"])
