"""All figures over 20,000 products and a tree the size of Cdiscount's."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from shelfwise.columns import Columns
from shelfwise.evaluate.metrics import curves_of
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.taxonomy import Node, Taxonomy


def large_answers(p: int, block: int = 2000) -> Answers:
    """Draw answers over 49 > 483 > 5,270 categories, block by block."""
    nodes = [Node(f"t{i}", f"T{i}", None) for i in range(49)]
    nodes += [Node(f"m{i}", f"M{i}", f"t{i % 49}") for i in range(483)]
    nodes += [Node(f"f{i}", f"F{i}", f"m{i % 483}") for i in range(5270)]
    tree = Taxonomy(nodes)
    columns = Columns(tree.leaves, tree)
    rng = np.random.default_rng(0)
    parts = []
    for start in range(0, p, block):
        truth = rng.integers(0, len(columns), block).astype(np.int32)
        chances = rng.standard_gamma(0.1, size=(block, len(columns)), dtype=np.float32)
        chances[np.arange(block), truth] += rng.gamma(1.0, 200, block).astype(np.float32)
        chances /= chances.sum(axis=1, keepdims=True)
        ids = [str(start + row) for row in range(block)]
        parts.append(Answers.from_probabilities(ids, truth, chances, columns))
    return Answers.concatenate(parts)


@pytest.mark.slow
def test_all_figures_of_20000_products_take_seconds_and_little_memory() -> None:
    answers = large_answers(20_000)
    tracemalloc.start()
    started = time.perf_counter()
    scores = score(answers)
    seconds = time.perf_counter() - started
    curves = curves_of(answers)
    of_curves = time.perf_counter() - started - seconds
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"scores {seconds:.1f} s, curves of 3 levels {of_curves:.1f} s, peak {peak / 2**20:.0f} MiB")
    assert scores.products == 20_000
    assert curves["points"][-1]["risk"] == pytest.approx(1 - scores.figures["top1"].value)
    assert seconds < 20
    assert of_curves < 60
    assert peak < 700 * 2**20
