"""Choose a split for every product: by hash, so that nothing but the product itself decides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_HASH_BYTES = 8
_HASHES = 2 ** (8 * _HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which splits there are and how large each should be.

    shares: by name, in order, adding up to 1. stratify: exact shares within every category, instead of by chance.
    """

    shares: dict[str, float]
    seed: int = 0
    stratify: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Products, side by side (n,): id, group, number of the unit that stays together, category, and the split so far.

    The groups, categories and splits may be None; the units may be numbered in any way.
    """

    ids: Sequence[str]
    groups: Sequence[str | None]
    units: NDArray[np.int64]
    categories: Sequence[str | None]
    splits: Sequence[str | None]


def assign(rows: Rows, plan: Plan) -> list[str]:
    """Return the split of every product, the same for any order of the rows.

    A unit's place in [0, 1) is a hash of the seed and its key, looked up among the cumulative shares; its key is the
    smallest hash of its members' group or, without one, id. Products that have a split keep it, and the others follow
    the most frequent split of their unit. New rows therefore move no old row of a catalog. In a catalog built anew, this
    still holds for products that are alone or in a group; a new look-alike may change the smallest hash of its unit, and
    both then go elsewhere together: only who knows the old splits can let the new one follow.
    """
    _, unit = np.unique(rows.units, return_inverse=True)
    keys = _unit_keys(rows, unit, plan.seed)
    chosen = _followed(rows, unit, keys, plan.seed)
    if plan.stratify:
        _fill_categories(rows, unit, keys, plan, chosen)
    else:
        names, ends = list(plan.shares), np.cumsum(list(plan.shares.values()))
        for number, key in enumerate(keys):
            if number not in chosen:
                place = _hash(plan.seed, "place", str(key)) / _HASHES
                chosen[number] = names[min(int(np.searchsorted(ends, place, side="right")), len(names) - 1)]
    return [split or chosen[number] for split, number in zip(rows.splits, unit.tolist(), strict=True)]


def _hash(seed: int, *words: str) -> int:
    """Hash words to 64 bits, the same on every machine and in every process."""
    text = "\0".join((str(seed), *words))
    return int.from_bytes(blake2b(text.encode(), digest_size=_HASH_BYTES).digest(), "big")


def _unit_keys(rows: Rows, unit: NDArray[np.int64], seed: int) -> list[int]:
    """Return the key of each unit.

    The smallest of several hashes is no uniform number: it is hashed again for a place, or else large units would all
    come to lie in the first split.
    """
    smallest = [_HASHES] * (int(unit.max(initial=-1)) + 1)
    for product_id, group, number in zip(rows.ids, rows.groups, unit.tolist(), strict=True):
        own = _hash(seed, "product", product_id) if group is None else _hash(seed, "group", group)
        smallest[number] = min(smallest[number], own)
    return smallest


def _followed(rows: Rows, unit: NDArray[np.int64], keys: list[int], seed: int) -> dict[int, str]:
    """Return the most frequent split of each unit that has one; among equals, the hash decides."""
    votes: dict[int, Counter[str]] = defaultdict(Counter)
    for split, number in zip(rows.splits, unit.tolist(), strict=True):
        if split is not None:
            votes[number][split] += 1
    return {
        number: max(count, key=lambda split: (count[split], _hash(seed, "tie", str(keys[number]), split)))
        for number, count in votes.items()
    }


def _fill_categories(rows: Rows, unit: NDArray[np.int64], keys: list[int], plan: Plan, chosen: dict[int, str]) -> None:
    """Give every open unit the split that its category lacks most, the largest units first.

    A unit counts under its most frequent category. Quotas are the largest remainders of the shares; of equal remainders
    the hash decides, so that not the same split goes short in every small category.
    """
    sizes = np.bincount(unit, minlength=len(keys)).tolist()
    categories: list[Counter[str]] = [Counter() for _ in keys]
    have: dict[int, Counter[str]] = defaultdict(Counter)
    for number, category, split in zip(unit.tolist(), rows.categories, rows.splits, strict=True):
        categories[number][category or ""] += 1
        if number in chosen:
            have[number][split or chosen[number]] += 1
    members: dict[str, list[int]] = defaultdict(list)
    for number, count in enumerate(categories):
        members[min(count, key=lambda category: (-count[category], category))].append(number)
    for category, numbers in members.items():
        kept: Counter[str] = Counter()
        for number in numbers:
            kept.update(have.get(number, ()))
        elsewhere = sum(n for split, n in kept.items() if split not in plan.shares)
        lacking = _quotas(sum(sizes[number] for number in numbers) - elsewhere, category, plan)
        lacking.subtract(kept)
        open_units = [number for number in numbers if number not in chosen]
        for number in sorted(open_units, key=lambda number: (-sizes[number], keys[number])):
            chosen[number] = max(plan.shares, key=lambda split: lacking[split])
            lacking[chosen[number]] -= sizes[number]


def _quotas(n: int, category: str, plan: Plan) -> Counter[str]:
    exact = {split: n * share for split, share in plan.shares.items()}
    quotas = Counter({split: int(wanted + 1e-9) for split, wanted in exact.items()})
    remainder = {split: round(exact[split] - quotas[split], 9) for split in exact}
    by_remainder = sorted(exact, key=lambda split: (-remainder[split], _hash(plan.seed, "rest", category, split)))
    quotas.update(by_remainder[: n - sum(quotas.values())])
    return quotas
