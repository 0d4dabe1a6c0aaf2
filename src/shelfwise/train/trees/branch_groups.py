"""Which categories share a specialist: those of a branch, of branches that are about as hard, or those that get confused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from shelfwise.columns import Columns
from shelfwise.statistics.sufficient import category_sums
from shelfwise.train.trees.level_heads import LevelHeads

# Held-out accuracy of a branch from which on it has a specialist of its own, one together with the others of group 2, or with
# those of group 1; below, none. Source: the Cdiscount system of docs/experiments.md, entry on hierarchies.
BANDS = ((0.80, "own"), (0.60, "group 2"), (0.10, "group 1"))


@dataclass(frozen=True, eq=False)
class BranchGroups:
    """branch_of: (c,) the branch of each category; group_of_branch: (branches,); wanted: (groups,) whether a specialist is
    wanted; facts: (groups,) what to say of each group, JSON values."""

    branch_of: NDArray[np.int32]
    group_of_branch: NDArray[np.int32]
    wanted: tuple[bool, ...]
    facts: tuple[dict[str, Any], ...]


def branch_level(columns: Columns) -> int:
    """Return the highest level at which categories part: its nodes are the branches."""
    return next(level for level, nodes in enumerate(columns.level_nodes) if len(nodes) > 1)


def every_branch(columns: Columns) -> BranchGroups:
    """Make a group of each branch."""
    level = branch_level(columns)
    nodes = columns.level_nodes[level]
    each = np.arange(len(nodes), dtype=np.int32)
    facts = tuple({"branches": [node]} for node in nodes)
    return BranchGroups(columns.level_of[level], each, (True,) * len(nodes), facts)


def banded_branches(router: LevelHeads) -> BranchGroups:
    """Group the branches by how often held-out products are seen by the router to be of them, in the bands of BANDS."""
    groups = every_branch(router.columns)
    accuracy = _branch_accuracy(router, groups.branch_of, len(groups.group_of_branch))
    bands = [next((name for least, name in BANDS if share > least), "none") for share in accuracy]
    names = [f"{band} {branch}" if band in ("own", "none") else band for branch, band in enumerate(bands)]
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    group_of_branch = np.array([places[name] for name in names], dtype=np.int32)
    facts, wanted = [], []
    for group in range(len(places)):
        members = np.flatnonzero(group_of_branch == group)
        band = bands[members[0]]
        facts.append(
            {
                "band": band,
                "branches": [groups.facts[branch]["branches"][0] for branch in members],
                "branch_accuracy": [round(float(accuracy[branch]), 4) for branch in members],
            }
        )
        wanted.append(band != "none")
    return replace(groups, group_of_branch=group_of_branch, wanted=tuple(wanted), facts=tuple(facts))


def confused_categories(router: LevelHeads) -> list[BranchGroups]:
    """Group categories that held-out products are confused between, into ever more groups: 2, 4, 8, ...

    Average linkage; the closeness of two categories is the mean of the probabilities that products of the one are given for
    the other, and the other way round, of what is given to wrong categories.
    """
    c = len(router.columns)
    if c < 3:
        return []
    tree = linkage(squareform(1 - _closeness(router), checks=False), "average")
    found = []
    for exponent in range(1, int(np.log2(c / 2)) + 1):
        _, first, group_of = np.unique(fcluster(tree, 2**exponent, "maxclust"), return_index=True, return_inverse=True)
        each = np.arange(len(first), dtype=np.int32)
        facts = tuple(
            {"categories": [router.columns.categories[j] for j in np.flatnonzero(group_of == g)]} for g in each
        )
        found.append(BranchGroups(group_of.astype(np.int32), each, (True,) * len(first), facts))
    return [groups for groups in found if len(groups.group_of_branch) > 1]


def _branch_accuracy(router: LevelHeads, branch_of: NDArray[np.int32], branches: int) -> NDArray[np.float64]:
    """Return how often products of each branch are answered with it, (branches,); 0 where none can be judged."""
    level, right, seen = branch_level(router.columns), np.zeros(branches), np.zeros(branches)
    for truth, log_probabilities in router.start.everything(router.held_out):
        answer = router.columns.summed(np.exp(log_probabilities), level).argmax(axis=1)
        branch = branch_of[truth]
        seen += np.bincount(branch, minlength=branches)
        right += np.bincount(branch[answer == branch], minlength=branches)
    return right / np.maximum(seen, 1)


def _closeness(router: LevelHeads) -> NDArray[np.float64]:
    c = len(router.columns)
    confusion = np.zeros((c, c))
    for truth, log_probabilities in router.start.everything(router.held_out):
        powers = np.exp(log_probabilities.astype(np.float64))
        present, sums = category_sums(powers, truth.astype(np.intp), np.ones(len(truth)))
        confusion[present] += sums
    np.fill_diagonal(confusion, 0)
    confusion /= np.maximum(confusion.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    closeness = (confusion + confusion.T) / 2
    np.fill_diagonal(closeness, 1)
    return np.asarray(np.minimum(closeness, 1))
