"""Heads a level that say which specialist to ask.

The router is the head for all categories, put together along the tree, with a temperature a level: summed over the categories
of a group, its probabilities are those of the group. One softmax over thousands of categories would be nearly even, and its
sums would favor branches with many of them. Within a group its specialist answers, which is built the same way; where a group
has none, the router does.
Source: the coarse and specific classifiers of the Cdiscount system that docs/experiments.md describes under hierarchies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shelfwise.classifiers.levels import Levels
from shelfwise.classifiers.stored import Stored, Tensors, positive, prefixed
from shelfwise.columns import summed
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns

    # Asks the specialist of a group about some rows: log-probabilities (m, categories of the group).
    Ask = Callable[[int, NDArray[np.intp]], NDArray[np.float32]]

RoutingKind = Literal["hard", "soft"]


@dataclass(frozen=True, eq=False)
class Routing:
    """Who is asked about what.

    branch_of: (c,) the branch of each category; group_of_branch: (branches,); asked: the groups that have a specialist.
    hard asks the specialist of the likeliest branch, and leaves `doubt`, the share of held-out rows that were sent the wrong
    way, to all other categories, though never so much that one of them would become the answer. soft asks all of them and
    weighs each by the probability of its group.
    """

    kind: RoutingKind
    doubt: float
    branch_of: NDArray[np.int32]
    group_of_branch: NDArray[np.int32]
    asked: tuple[int, ...]

    @property
    def group_of(self) -> NDArray[np.int32]:
        """The group of each category, (c,)."""
        return np.asarray(self.group_of_branch[self.branch_of])

    def columns(self, group: int) -> NDArray[np.intp]:
        """Return the columns of a group's categories."""
        return np.flatnonzero(self.group_of == group)

    def branches(self, log_probabilities: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the likeliest branch (n,) by log-probabilities (n, c) of the router."""
        shares = summed(np.exp(log_probabilities), self.branch_of, len(self.group_of_branch))
        return np.asarray(shares.argmax(axis=1))

    def combined(self, of_router: NDArray[np.float32], ask: Ask) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of those (n, c) of the router and of what the specialists answer."""
        return self._soft(of_router, ask) if self.kind == "soft" else self._hard(of_router, ask)

    def _soft(self, of_router: NDArray[np.float32], ask: Ask) -> NDArray[np.float32]:
        mixed, every = of_router.copy(), np.arange(len(of_router))
        for group in self.asked:
            columns = self.columns(group)
            mixed[:, columns] = _log_sum(of_router[:, columns]) + ask(group, every)
        return mixed

    def _hard(self, of_router: NDArray[np.float32], ask: Ask) -> NDArray[np.float32]:
        mixed, sent_to = np.empty_like(of_router), self.group_of_branch[self.branches(of_router)]
        for group in np.unique(sent_to):
            rows, columns = np.flatnonzero(sent_to == group), self.columns(group)
            outside = np.setdiff1d(np.arange(of_router.shape[1]), columns)
            of_rows = of_router[rows]
            inside = ask(group, rows) if group in self.asked else _normalized(of_rows[:, columns])
            if len(outside):
                rest = _normalized(of_rows[:, outside])
                doubt = _bounded(self.doubt, inside, rest)
                of_rows[:, outside] = rest + np.log(doubt)
                inside = inside + np.log1p(-doubt)
            of_rows[:, columns] = inside
            mixed[rows] = of_rows
        return mixed


@dataclass(frozen=True, eq=False)
class Routed:
    """A router for all categories, and the specialists of groups of them, in the order of `routing.asked`."""

    router: Levels
    specialists: tuple[Levels, ...]
    routing: Routing

    def log_probabilities(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of vectors (n, d)."""
        of_group = dict(zip(self.routing.asked, self.specialists, strict=True))
        of_router = self.router.log_probabilities(z)
        return self.routing.combined(of_router, lambda group, rows: of_group[group].log_probabilities(z[rows]))

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        router, named = self.router.stored()
        tensors, specialists = prefixed("router", named), []
        for group, specialist in zip(self.routing.asked, self.specialists, strict=True):
            of_one, named = specialist.stored()
            specialists.append({"group": group} | of_one)
            tensors |= prefixed(f"specialist{group}", named)
        return {
            "hierarchy": "routed",
            "router": router,
            "routing": self.routing.kind,
            "doubt": self.routing.doubt,
            "branch_of": self.routing.branch_of.tolist(),
            "group_of_branch": self.routing.group_of_branch.tolist(),
            "specialists": specialists,
        }, tensors

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, columns: Columns) -> Routed:
        """Read what `stored` gave."""
        asked = tuple(int(of_one["group"]) for of_one in values["specialists"])
        routing = Routing(
            _routing_kind(values["routing"]), _share(values["doubt"]),
            branch_of := _numbers(values["branch_of"], len(columns), "branches of the categories"),
            _numbers(values["group_of_branch"], int(branch_of.max()) + 1, "groups of the branches"), asked,
        )  # fmt: skip
        if len(set(asked)) != len(asked) or not set(asked) <= set(routing.group_of_branch.tolist()):
            raise BundleError("bundle.json", f"specialists of the groups {asked}, which do not fit the branches")
        router, specialists = Levels.restored(values["router"], tensors.under("router"), d, columns), []
        for group, of_one in zip(asked, values["specialists"], strict=True):
            named, of_group = tensors.under(f"specialist{group}"), columns.take(routing.columns(group))
            specialists.append(Levels.restored(of_one, named, d, of_group))
        return cls(router, tuple(specialists), routing)


def _log_sum(log_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    top = log_probabilities.max(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.exp(log_probabilities - top).sum(axis=1, keepdims=True)))


def _normalized(log_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(log_probabilities - _log_sum(log_probabilities))


def _bounded(doubt: float, inside: NDArray[np.float32], rest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the doubt (n, 1) at which the best of the rest, (n, k) log-probabilities, stays below the best inside."""
    best_inside, best_outside = (np.exp(part.max(axis=1, keepdims=True)) for part in (inside, rest))
    return np.asarray(np.minimum(np.float32(doubt), np.float32(0.99) * best_inside / (best_inside + best_outside)))


def _routing_kind(value: object) -> RoutingKind:
    if value == "hard":
        return "hard"
    if value == "soft":
        return "soft"
    raise BundleError("bundle.json", f"the routing {value!r} is unknown")


def _share(value: object) -> float:
    share = positive(value, "doubt of the routing")
    if share >= 1:
        raise BundleError("bundle.json", f"the doubt of the routing {share} is no share")
    return share


def _numbers(value: object, count: int, what: str) -> NDArray[np.int32]:
    """Read `count` numbers that leave none out between 0 and the largest."""
    if not isinstance(value, list) or len(value) != count or not all(type(number) is int for number in value):
        raise BundleError("bundle.json", f"the {what} are not {count} whole numbers")
    numbers = np.array(value)
    if not np.array_equal(np.unique(numbers), np.arange(numbers.max() + 1)):
        raise BundleError("bundle.json", f"the {what} are not numbered from 0 without gaps")
    return numbers.astype(np.int32)
