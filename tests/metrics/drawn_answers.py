"""Seeded answers over a small tree, for the tests of figures and reports."""

from __future__ import annotations

import numpy as np

from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.taxonomy import Node, Taxonomy


def drawn_tree(tops: int = 2, coarse: int = 3, fine: int = 7) -> Taxonomy:
    """Grow a tree of three levels whose branches differ in size."""
    nodes = [Node(f"t{i}", f"Top {i}", None) for i in range(tops)]
    nodes += [Node(f"c{i}", f"Coarse {i}", f"t{i % tops}") for i in range(coarse)]
    nodes += [Node(f"f{i}", f"Fine {i}", f"c{i % coarse}") for i in range(fine)]
    return Taxonomy(nodes, ("top", "coarse", "fine"))


def drawn_probabilities(p: int, c: int, seed: int = 0, strength: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw truth (p,) and probabilities (p, c) that lean towards it."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, c, p).astype(np.int32)
    score = rng.normal(size=(p, c))
    score[np.arange(p), truth] += strength
    probabilities = np.exp(score)
    return truth, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def drawn_answers(p: int, taxonomy: Taxonomy | None = None, seed: int = 0, strength: float = 2.0) -> Answers:
    """Draw answers about p products."""
    taxonomy = taxonomy or drawn_tree()
    truth, probabilities = drawn_probabilities(p, len(taxonomy.leaves), seed, strength)
    ids = [f"product {row}" for row in range(p)]
    return Answers.from_probabilities(ids, truth, probabilities, Columns(taxonomy.leaves, taxonomy))


def plain_answers(truth: list[int], answer: list[int], c: int, confidence: list[float] | None = None) -> Answers:
    """Make answers of one level with one answer a product, spread evenly where no confidence is given."""
    probabilities = np.zeros((len(truth), c), dtype=np.float32)
    for row, column in enumerate(answer):
        sure = 1.0 if confidence is None or c == 1 else confidence[row]
        probabilities[row] = (1 - sure) / max(1, c - 1)
        probabilities[row, column] = sure
    taxonomy = Taxonomy([Node(f"k{i}", f"Kind {i}", None) for i in range(c)])
    ids = [f"product {row}" for row in range(len(truth))]
    return Answers.from_probabilities(
        ids, np.array(truth, dtype=np.int32), probabilities, Columns(taxonomy.leaves, taxonomy)
    )
