"""A classifier: members with weights, calibrated together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.calibration import Calibration
from shelfwise.classifiers.familiarity import Familiarity
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.pools import MEAN
from shelfwise.classifiers.stored import Stored, Tensors, positive, prefixed
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shelfwise.columns import Columns


LEAST = np.float32(-30)
"""Log-probability below which nothing is told apart."""


@dataclass(frozen=True)
class Classifier:
    """Photos' feature vectors of products in, calibrated probabilities of c categories out.

    weights: one per member, positive, their sum is 1; familiarity: None where nothing is known of it.
    """

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    calibration: Calibration
    familiarity: Familiarity | None = None

    def probabilities(
        self, x: NDArray[np.float32], columns: Columns, product: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Return calibrated probabilities (p, c) of photos' vectors x (n, d); columns: the c categories in their tree.

        product: (n,) ascending from 0 without gaps, which product each photo shows; absent: each its own.
        """
        return self.answered(x, columns, product)[0]

    def answered(
        self, x: NDArray[np.float32], columns: Columns, product: NDArray[np.integer[Any]] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return calibrated probabilities (p, c) as `probabilities`, and how familiar each product looks, (p,) over 0 to 1."""
        product = np.arange(len(x)) if product is None else np.asarray(product)
        products = int(product[-1]) + 1 if len(product) else 0
        told = combined([m.log_probabilities(x, product, products) for m in self.members], self.weights)
        calibrated = self.calibration.apply(told, columns)
        if self.familiarity is None:
            return calibrated, None
        return calibrated, self.familiarity.of(MEAN.vectors(x, product, products), told.max(axis=1))

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        members = [member.stored() for member in self.members]
        tensors = [prefixed(str(place), named) for place, (_, named) in enumerate(members)]
        familiarity, nearness = self.familiarity.stored() if self.familiarity else (None, {})
        tensors.append(prefixed("familiarity", nearness))
        return {
            "members": [values for values, _ in members],
            "weights": list(self.weights),
            "calibration": self.calibration.stored(),
            "familiarity": familiarity,
        }, {name: tensor for part in tensors for name, tensor in part.items()}

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, columns: Columns) -> Classifier:
        """Read what `stored` gave, for feature vectors of length d; raises BundleError for anything else."""
        members = tuple(
            Member.restored(of_one, tensors.under(str(place)), d, columns)
            for place, of_one in enumerate(values["members"])
        )
        known = values["familiarity"]
        familiarity = Familiarity.restored(known, tensors.under("familiarity"), d) if known is not None else None
        tensors.refuse_rest()
        weights = tuple(positive(weight, "weight of a member") for weight in values["weights"])
        if len(weights) != len(members) or not members or not abs(sum(weights) - 1) < 1e-6:
            raise BundleError("bundle.json", f"{len(members)} members with the weights {weights}")
        return cls(members, weights, Calibration.restored(values["calibration"]), familiarity)


def combined(members: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Put the log-probabilities (p, c) of members together: their weighted mean, not yet summing to 1.

    Where there are several, those below LEAST count as it, so that one member's certainty does not outvote all others.
    """
    if len(members) == 1:
        return members[0]
    return np.asarray(
        sum(np.float32(w) * np.maximum(member, LEAST) for w, member in zip(weights, members, strict=True))
    )
