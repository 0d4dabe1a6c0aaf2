"""Choose the penalty by what the head says of rows left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import OptionError
from shelfwise.statistics.calibration import fit_temperature, log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.statistics.leave_out import LeaveOut

GRID = tuple(float(10 ** (half / 2)) for half in range(-8, 5))
"""1e-4 to 100 in half decades. Source: docs/experiments.md."""

SAMPLE_ROWS = 4096


@dataclass(frozen=True)
class PenaltyChoice:
    """The penalty with the least log-loss, its temperature, and the loss (nats) of every penalty tried."""

    penalty: float
    temperature: float
    log_losses: dict[float, float]


def choose_penalty(leave_out: LeaveOut, seed: int = 0) -> PenaltyChoice:
    """Return the penalty of GRID whose left-out scores, each set at its own best temperature, have the least log-loss.

    Judged on whole groups drawn at random until they hold SAMPLE_ROWS rows, on all where there are fewer; the heads
    themselves have learned from every row. Raises OptionError when there are no rows.
    """
    sample = leave_out.sample(SAMPLE_ROWS, seed)
    temperatures, losses = {}, {}
    for penalty in GRID:
        scores, truth = _all_scores(sample, penalty)
        temperatures[penalty] = fit_temperature(scores, truth)
        losses[penalty] = log_loss(scores, truth, temperatures[penalty])
    best = min(losses, key=losses.__getitem__)
    return PenaltyChoice(best, temperatures[best], losses)


def _all_scores(sample: LeaveOut, penalty: float) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    blocks = list(sample.scores(penalty))
    if not blocks:
        raise OptionError("there are no rows to choose a penalty by")
    rows = np.concatenate([rows for rows, _ in blocks])
    return np.concatenate([scores for _, scores in blocks]), sample.column[rows]
