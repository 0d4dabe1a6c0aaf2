"""Choose the penalty by what the head says of rows left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import OptionError
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.leave_out import LeaveOut

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = tuple(float(10 ** (half / 2)) for half in range(-10, 4))
"""1e-5 to 30 in half decades. The best one falls about as 1 / n; for 2,640 photos of Grocery it is 0.1 to 0.3."""

SAMPLE_ROWS = 4096


@dataclass(frozen=True)
class PenaltyChoice:
    """The penalty chosen, the temperature of its left-out scores, and what every penalty tried leaves unexplained."""

    penalty: float
    temperature: float
    unexplained: dict[float, float]


def choose_penalty(left: LeaveOut, seed: int = 0) -> PenaltyChoice:
    """Return the penalty of GRID whose left-out scores leave the least of the targets unexplained.

    Judged on whole groups drawn at random (seeded) until they hold SAMPLE_ROWS rows, on all where there are fewer; the
    heads themselves have learned from every row. Rows whose category stands in their own group alone say nothing and are
    not counted; raises OptionError when there are no others.
    """
    sample = left.sample(SAMPLE_ROWS, seed)
    known = sample.known
    if not known.any():
        raise OptionError("no category has rows in two groups: leave rows out alone, or name the penalty")
    shares = {penalty: unexplained(*_left_out(sample, known, penalty)) for penalty in GRID}
    best = min(shares, key=shares.__getitem__)
    return PenaltyChoice(best, fit_temperature(*_left_out(sample, known, best)), shares)


def unexplained(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the share of the one-hot targets' variance that scores (n, c) do not explain at their best common scale.

    Between 0 and 1; it is 1 - r², r the correlation between scores and targets, each column less its mean. Leaving the
    scale free matters: plain squared error asks for ever larger penalties as groups get harder, log-loss and accuracy
    for too small ones when photos resemble one another. Source: docs/experiments.md, choice of the penalty.
    """
    centred = scores - scores.mean(axis=0, dtype=np.float64).astype(scores.dtype)
    agreement = float(centred[np.arange(len(truth)), truth].sum(dtype=np.float64))
    share_of = np.bincount(truth) / len(truth)
    targets = len(truth) * (1 - float(share_of @ share_of))
    squares = float(np.square(centred).sum(dtype=np.float64))
    return 1 - agreement * max(agreement, 0) / (squares * targets) if squares * targets > 0 else 1.0


def _left_out(
    sample: LeaveOut, known: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    blocks = [(rows[known[rows]], scores[known[rows]]) for rows, scores in sample.scores(penalty)]
    rows = np.concatenate([rows for rows, _ in blocks])
    return np.concatenate([scores for _, scores in blocks]), sample.column[rows]
