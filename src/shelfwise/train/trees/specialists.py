"""Learn specialists for groups of categories, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.flat import log_softmax
from shelfwise.classifiers.routed import Routed, Routing, RoutingKind
from shelfwise.statistics.calibration import log_loss
from shelfwise.train.learned import LearnedModel
from shelfwise.train.rows import Numbers, TrainingRows, Way, rows_known_from_others
from shelfwise.train.trees.branch_groups import (
    BranchGroups,
    banded_branches,
    branch_level,
    confused_categories,
    every_branch,
)
from shelfwise.train.trees.flat_head import STRICT, FlatHead
from shelfwise.train.trees.level_heads import LevelHeads

FEWEST_GROUPS = 10
"""Groups of look-alikes that a specialist is learned from, at least: twice the folds of heads that are judged by folds."""


@dataclass(frozen=True, eq=False)
class Specialist:
    """Heads for the categories `columns` (k,); place: (n,) of each training row among those they learned from, -1 for others."""

    columns: NDArray[np.intp]
    heads: LevelHeads
    place: NDArray[np.int64]

    def held_out(
        self, way: Way, asked: Numbers, x: NDArray[np.float32], group: Numbers, of_router: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return log-probabilities (m, k) of rows (m,), whole groups, as if it had learned from none of their group.

        x: (m, d) their vectors; group: (m,) their groups. It never learned from rows of other specialists; where rows of their
        group are among its own all the same (one picture in two branches), the router, (m, c), answers in its place.
        """
        answers, own = self.heads.levels.log_probabilities(x), self.place[asked] >= 0
        if own.any():
            answers[own] = self.heads.held_out(way, self.place[asked[own]])
            related = np.flatnonzero(np.isin(group, group[own]) & ~own)
            answers[related] = log_softmax(of_router[np.ix_(related, self.columns)], 1)
        return answers


@dataclass(frozen=True, eq=False)
class Team:
    """The router and the specialists that could be learned, by group."""

    router: LevelHeads
    groups: BranchGroups
    specialists: dict[int, Specialist]
    facts: list[dict[str, Any]]

    def routing(self, kind: RoutingKind, doubt: float) -> Routing:
        """Return who is asked about what."""
        return Routing(kind, doubt, self.groups.branch_of, self.groups.group_of_branch, tuple(self.specialists))

    def held_out(self, way: Way, asked: Numbers, *routings: Routing) -> list[NDArray[np.float32]]:
        """Return log-probabilities (m, c) of rows (m,), whole groups, for each routing; specialists are asked once."""
        rows, of_router = self.router.start.rows, self.router.held_out(way, asked)
        x, group = rows.x[asked], rows.groups.of(way)[asked]
        answers = {place: one.held_out(way, asked, x, group, of_router) for place, one in self.specialists.items()}
        return [routing.combined(of_router, lambda group, rows: answers[group][rows]) for routing in routings]

    def doubt(self) -> float:
        """Return the share of products that are sent to a wrong group, by Laplace's rule of succession."""
        judged, routing = self.router.start.judged, self.routing("hard", 0.5)
        sent_to = routing.group_of_branch[routing.branches(judged.of(self.router.held_out))]
        wrong = int((sent_to != routing.group_of[judged.truth]).sum())
        return (wrong + 1) / (len(judged.truth) + 2)


def gather(router: LevelHeads, groups: BranchGroups, taught: dict[bytes, Specialist] | None = None) -> Team:
    """Learn the specialists that are wanted and that there is enough to learn from for.

    taught: specialists for the same categories are taken from here, and new ones put here.
    """
    taught = {} if taught is None else taught
    start, specialists, told = router.start, {}, []
    group_of = groups.group_of_branch[groups.branch_of]
    for group, facts in enumerate(groups.facts):
        columns = np.flatnonzero(group_of == group)
        place = np.where(group_of[start.rows.column] == group, 0, -1)
        place[place == 0] = np.arange(int((place == 0).sum()))
        missing = _missing(start, columns, place) if groups.wanted[group] else "too often taken for other branches"
        of_group = {"categories": len(columns), "products": int((place >= 0).sum())} | facts
        if missing is None:
            key = columns.tobytes()
            if key not in taught:
                taught[key] = Specialist(columns, _learned(start, columns, place), place)
            specialists[group] = taught[key]
            told.append(of_group | {"specialist": taught[key].heads.facts})
        else:
            told.append(of_group | {"specialist": None, "why_none": missing})
    return Team(router, groups, specialists, told)


def _missing(start: FlatHead, columns: NDArray[np.intp], place: NDArray[np.int64]) -> str | None:
    """Say why no specialist can be learned; None where one can."""
    if len(columns) == 1:
        return "one category: nothing to tell apart"
    own = np.flatnonzero(place >= 0)
    group, column = start.rows.groups.of(STRICT)[own], start.rows.column[own]
    if len(np.unique(group)) < FEWEST_GROUPS:
        return f"its products are fewer than {FEWEST_GROUPS} groups of look-alikes"
    if len(np.unique(column[rows_known_from_others(group, column)])) < 2:
        return "fewer than two of its categories have products that do not look alike"
    return None


def _learned(start: FlatHead, columns: NDArray[np.intp], place: NDArray[np.int64]) -> LevelHeads:
    own = np.flatnonzero(place >= 0)
    column = np.searchsorted(columns, start.rows.column[own]).astype(np.int32)
    rows = TrainingRows(start.rows.x[own], column, len(columns), start.rows.groups.take(own))
    return LevelHeads.learn(FlatHead.learn(rows, start.columns.take(columns), start.learn_head))


def learn_hard(start: FlatHead) -> LearnedModel:
    """Learn a specialist a branch; the one of the likeliest branch is asked."""
    return _best("hard", LevelHeads.learn(start), [every_branch(start.columns)], ("hard",))


def learn_soft(start: FlatHead) -> LearnedModel:
    """Learn a specialist a branch; all are asked, and weighed by the probabilities of their branches."""
    return _best("soft", LevelHeads.learn(start), [every_branch(start.columns)], ("soft",))


def learn_bands(start: FlatHead) -> LearnedModel:
    """Learn specialists for branches that are seen well, and for the others together."""
    router = LevelHeads.learn(start)
    return _best("bands", router, [banded_branches(router)], ("hard", "soft"))


def learn_confusion(start: FlatHead) -> LearnedModel:
    """Learn specialists for categories that get confused, in the number of groups that serves held-out products best."""
    router = LevelHeads.learn(start)
    return _best("confusion", router, confused_categories(router) or [every_branch(start.columns)], ("hard", "soft"))


def _best(
    name: str, router: LevelHeads, candidates: list[BranchGroups], kinds: tuple[RoutingKind, ...]
) -> LearnedModel:
    """Keep the groups and the routing that give held-out products the best probabilities."""
    judged, tried, best, least = router.start.judged, {}, None, np.inf
    taught: dict[bytes, Specialist] = {}
    for groups in candidates:
        team = gather(router, groups, taught)
        doubt = team.doubt()
        routings = [team.routing(kind, doubt) for kind in kinds]
        for routing, said in zip(routings, team.held_out(STRICT, judged.rows, *routings), strict=True):
            loss = log_loss(said[judged.counted], judged.truth, 1)
            tried[f"{routing.kind}, {len(groups.facts)} groups"] = loss
            if loss < least:
                best, least = (team, routing), loss
    assert best is not None
    return _routed(name, *best, tried)


def _routed(name: str, team: Team, routing: Routing, tried: dict[str, float]) -> LearnedModel:
    router = team.router

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        return team.held_out(way, asked, routing)[0]

    facts = router.facts | {
        "hierarchy": name,
        "branch_level": router.columns.taxonomy.level_names[branch_level(router.columns)],
        "routing": routing.kind,
        "doubt": routing.doubt,
        "log_loss_by_routing": tried,
        "groups": team.facts,
    }
    specialists = tuple(specialist.heads.levels for specialist in team.specialists.values())
    return LearnedModel(Routed(router.levels, specialists, routing), facts, router.start.learned.method, held_out)


LEARN_ROUTED: dict[str, Callable[[FlatHead], LearnedModel]] = {
    "hard": learn_hard, "soft": learn_soft, "bands": learn_bands, "confusion": learn_confusion,
}  # fmt: skip
