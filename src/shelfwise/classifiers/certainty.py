"""Answers that stop where they are sure: the deepest node for a requested share of wrong ones, and sets of categories."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, inf, log, log1p
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns

CONFIDENCE = 0.9
"""How sure it is that the requested share is kept. Source: docs/experiments.md, certainty: 0.95 costs more answers."""
GRID = np.array([0.999, 0.995, *np.round(np.arange(0.99, 0.495, -0.01), 2)])
"""Thresholds that are tried, the strictest first; fixed, because the guarantee asks for it. None is below one half: a shelf that
is less likely than all others together is no answer, however lenient the request."""


class Answered(Protocol):
    """Answers about p products beside the truth, as `metrics.answers.Answers`."""

    @property
    def columns(self) -> Columns:
        """The categories in their tree."""
        ...

    @property
    def way(self) -> NDArray[np.int32]:
        """Nodes along the likeliest way down, (p, levels)."""
        ...

    @property
    def way_probability(self) -> NDArray[np.float32]:
        """Their probabilities, (p, levels)."""
        ...

    @property
    def level_truth(self) -> NDArray[np.int32]:
        """The right node at each level, (p, levels)."""
        ...

    @property
    def probability_of_truth(self) -> NDArray[np.float32]:
        """What the right category was given, (p,)."""
        ...

    def __len__(self) -> int: ...


def deepest(
    way: NDArray[np.int32], way_probability: NDArray[np.float32], columns: Columns, threshold: float
) -> NDArray[np.int32]:
    """Return how deep each answer goes, (p,): the nodes of its way that pass the threshold, 0 where it is unsure.

    way, way_probability: (p, levels) as in Answers. A category that ends above the deepest level counts once.
    """
    passed = (way_probability >= threshold).sum(axis=1)
    depths = np.stack([depth[way[:, level]] for level, depth in enumerate(columns.node_depth)], axis=1)
    last = np.take_along_axis(depths, np.maximum(passed - 1, 0)[:, None], axis=1)[:, 0]
    return np.where(passed == 0, 0, last).astype(np.int32)


def wrong_at(answers: Answered, depth: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell (p,) which answers that stop at a depth are wrong: the node is not on the way to the truth; none is not wrong."""
    level = np.maximum(depth - 1, 0)[:, None]
    told, true = (np.take_along_axis(nodes, level, axis=1)[:, 0] for nodes in (answers.way, answers.level_truth))
    return np.asarray((told != true) & (depth > 0))


@dataclass(frozen=True, slots=True)
class Threshold:
    """The threshold for a requested share of wrong answers, and what it rests on.

    value: None where no threshold keeps the promise, then nothing is answered; held_out: products that it was set on,
    of which `answered` passed it and `wrong` were answered wrong.
    """

    max_error: float
    confidence: float
    value: float | None
    held_out: int
    answered: int = 0
    wrong: int = 0

    @property
    def bar(self) -> float:
        """The probability that an answer must have."""
        return inf if self.value is None else self.value

    def message(self) -> str:
        """Say in words what is promised, or why nothing is."""
        asked = f"{100 * self.max_error:.6g}%"
        if self.value is not None:
            return (
                f"Of the answers given at most {asked} are wrong, with {self.confidence:.0%} confidence, where "
                f"products are like the {self.held_out:,} held-out ones: a shelf must be at least {self.value:.1%} likely."
            )
        fewest = fewest_products(self.max_error, self.confidence)
        if self.held_out < fewest:
            return (
                f"Nothing is answered: {self.held_out:,} held-out products cannot show that at most {asked} of "
                f"the answers are wrong. {fewest:,} are the fewest that can; {fewest - self.held_out:,} more are needed."
            )
        return (
            f"Nothing is answered: among {self.held_out:,} held-out products not even the surest answers are shown to be wrong "
            f"in at most {asked} of the cases. Ask for less, e.g. --max-error {min(0.5, 2 * self.max_error):g}, or "
            "bring more photos of the shelves that are mixed up."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "max_error": self.max_error, "confidence": self.confidence, "threshold": self.value,
            "held_out": {"products": self.held_out, "answered": self.answered, "wrong": self.wrong},
            "message": self.message(),
        }  # fmt: skip


def threshold_for(held_out: Answered, max_error: float, confidence: float = CONFIDENCE) -> Threshold:
    """Find the lowest threshold at which at most `max_error` of the answers given are wrong, with so much confidence.

    Thresholds are tested from the strictest on, until one fails the binomial test; those that too few products pass to be
    tested at all are passed over. The chance that the threshold found lets more errors through is at most 1 - confidence,
    over draws of held-out products like those that will be asked about, where a stricter threshold is no less safe.
    Source: fixed-sequence testing, Angelopoulos et al. 2021, Learn then Test, section 3.2; the share of wrong ones among
    the answers given: Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks, algorithm 1.
    """
    found, fewest = Threshold(max_error, confidence, None, len(held_out)), fewest_products(max_error, confidence)
    for value in GRID:
        depth = deepest(held_out.way, held_out.way_probability, held_out.columns, value)
        answered, wrong = int((depth > 0).sum()), int(wrong_at(held_out, depth).sum())
        if answered < fewest:
            continue
        if at_most(wrong, answered, max_error) > 1 - confidence:
            break
        found = Threshold(max_error, confidence, float(value), len(held_out), answered, wrong)
    return found


def fewest_products(max_error: float, confidence: float = CONFIDENCE) -> int:
    """Return how many right answers in a row show an error of at most `max_error` with a confidence."""
    return ceil(log(1 - confidence) / log1p(-max_error) - 1e-9)


def at_most(wrong: int, answered: int, share: float) -> float:
    """Return the chance of at most `wrong` among `answered` where each is wrong with the chance `share` (binomial)."""
    if wrong >= answered:
        return 1.0
    step = np.arange(wrong)
    ratios = np.log((answered - step) / (step + 1)) + log(share) - log1p(-share)
    logs = answered * log1p(-share) + np.concatenate([[0.0], np.cumsum(ratios)])
    return min(1.0, exp(logs.max()) * float(np.exp(logs - logs.max()).sum()))


def set_bar(held_out: Answered, share_missed: float) -> float:
    """Return the probability from which on a category belongs to a product's set, so that sets miss at most a share.

    Over draws of held-out products and one more like them, its set holds the right category with a chance of at least
    1 - share_missed. 0, that is all categories, where there are too few held-out products to leave any out.
    Source: split conformal prediction, Sadinle, Lei and Wasserman 2019, Least Ambiguous Set-Valued Classifiers; the rank
    for n products: Vovk et al. 2005, Algorithmic Learning in a Random World, section 4.1.
    """
    rank = int((len(held_out) + 1) * share_missed + 1e-9)
    if rank == 0:
        return 0.0
    return float(np.partition(held_out.probability_of_truth, rank - 1)[rank - 1])


def in_sets(probabilities: NDArray[np.float32], bar: float) -> NDArray[np.bool_]:
    """Tell (p, c) which categories belong to each product's set; the likeliest always does."""
    chosen = probabilities >= np.float32(bar)
    chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
    return chosen
