"""Rows drawn around category centers, with groups of look-alikes."""

from __future__ import annotations

import numpy as np

from shelfwise.train.rows import Grouping, TrainingRows


def drawn_rows(n: int = 240, d: int = 6, categories: int = 4, spread: float = 1.0, seed: int = 0) -> TrainingRows:
    """Draw n rows, two a group of look-alikes; the greater the spread, the harder to tell the categories apart."""
    rng = np.random.default_rng(seed)
    column = (np.arange(n) // 2 % categories).astype(np.int32)
    x = rng.normal(size=(categories, d))[column] + spread * rng.normal(size=(n, d))
    return TrainingRows(x.astype(np.float32), column, categories, Grouping(np.arange(n), np.arange(n) // 2))


def of_random_labels(n: int = 400, d: int = 20, categories: int = 4) -> TrainingRows:
    """Draw rows that say nothing of their category, each picture twice: whoever does not leave out twins is found out."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(n // 2, d)), 2, axis=0).astype(np.float32)
    column = np.repeat(rng.integers(0, categories, n // 2), 2).astype(np.int32)
    return TrainingRows(x, column, categories, Grouping(np.arange(n) // 2, np.arange(n) // 2))
