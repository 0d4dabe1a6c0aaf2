"""A bundle with other columns, another tree, or other products learned: what is touched is solved anew, the rest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.bundle.answers_table import answers_to_parquet
from shelfwise.bundle.learned import Learned
from shelfwise.bundle.learned_files import learned_to_files
from shelfwise.bundle.members import content_of
from shelfwise.bundle.model import Bundle
from shelfwise.bundle.remapped import remapped
from shelfwise.bundle.single_head import SingleHead, classifier_on_columns, single_head
from shelfwise.classifiers.familiarity import Familiarity
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.pools import OF_ANSWERS
from shelfwise.columns import Columns
from shelfwise.errors import OptionError
from shelfwise.statistics.solve import System
from shelfwise.taxonomy import Taxonomy

_MUCH = 0.1
"""Share of changed products from which on the estimates of learning are called old; a choice, not a measurement."""
_NOTE = "More than {share:.0%} of the products changed since this bundle was learned: its estimates, calibration and thresholds"
_NOTE += " are those of learning; train anew when there is time."


@dataclass(frozen=True)
class Regrouping:
    """Columns as they will be. column_of: (c,) where each column of before goes, -1 for nowhere."""

    columns: Columns
    column_of: NDArray[np.int32]

    @classmethod
    def of(cls, before: Columns, taxonomy: Taxonomy, goes: Mapping[str, str], new: tuple[str, ...] = ()) -> Regrouping:
        """Let the categories `goes` stand for others, and add columns for `new` ones; the rest keeps its order."""
        told = [goes.get(category, category) for category in before.categories]
        there = set(before.categories)
        kept = [category for category in before.categories if goes.get(category, category) == category]
        added = dict.fromkeys([category for category in (*told, *new) if category not in there])
        columns = Columns((*kept, *added), taxonomy)
        return cls(columns, columns.of(np.array(told, dtype=np.object_)))

    def without_empty(self, counts: NDArray[np.float64]) -> Regrouping:
        """Leave out the columns in which no product is; counts: (c,) of the columns as they will be."""
        kept = [category for category, count in zip(self.columns.categories, counts, strict=True) if count > 0.5]
        columns = Columns(tuple(kept), self.columns.taxonomy)
        now = columns.of(np.array(self.columns.categories, dtype=np.object_))
        return Regrouping(columns, np.where(self.column_of < 0, -1, now[self.column_of]).astype(np.int32))


def refuse_too_few(columns: Columns) -> None:
    """Raise OptionError where fewer than two categories would be left."""
    if len(columns) < 2:
        raise OptionError(f"{len(columns)} categories would be left: there is nothing to tell apart, two are needed")


def changed(
    bundle: Bundle,
    learned: Learned,
    regrouping: Regrouping,
    entry: dict[str, Any],
    *,
    goes: Mapping[str, str] | None = None,
    touched: NDArray[np.integer[Any]] | None = None,
) -> Bundle:
    """Return the bundle with a head solved from what was learned now, at the penalty that it was learned with.

    learned: in the new columns; touched: new columns that are solved, all where it is absent, as when products were added
    or removed; goes: see `remapped`; entry: what is written into the facts.
    """
    refuse_too_few(regrouping.columns)
    single = _single(bundle)
    head = _solved(single.head, learned, regrouping, touched)
    classifier = replace(single.with_head(bundle.classifier, head), familiarity=_familiarity(bundle, single, learned))
    stored = learned_to_files(learned, regrouping.columns.categories)
    kept = {name: content_of(data) for name, data in stored.items()}
    solved = replace(bundle, classifier=classifier, kept=kept)
    return _told(solved, regrouping.columns, goes or {}, entry, bundle.golden_features)


def with_taxonomy(bundle: Bundle, taxonomy: Taxonomy, entry: dict[str, Any]) -> Bundle:
    """Return the bundle with the same columns in another tree."""
    return _told(bundle, Columns(bundle.categories, taxonomy), {}, entry, bundle.golden_features)


def _told(
    bundle: Bundle, columns: Columns, goes: Mapping[str, str], entry: dict[str, Any], golden: NDArray[np.float32]
) -> Bundle:
    """Return the bundle with other columns, tables that speak of them, and golden images answered again."""
    tables = {
        "left_out_table": answers_to_parquet(remapped(bundle.left_out(), columns, goes)),
        "held_out_table": answers_to_parquet(remapped(bundle.held_out(), columns, goes)),
    }
    facts = _facts(bundle.facts, entry)
    classifier = classifier_on_columns(bundle.classifier, columns)
    told = replace(bundle, classifier=classifier, columns=columns, facts=facts, id="", **tables)  # type: ignore[arg-type]
    return replace(told, golden_probabilities=told.probabilities(golden))


def _solved(head: Linear, learned: Learned, regrouping: Regrouping, touched: NDArray[np.integer[Any]] | None) -> Linear:
    system, s = System.of(learned.statistics, learned.penalty), learned.statistics
    if touched is None:
        return Linear.of(system.head(s.sums, s.counts))
    c = len(regrouping.columns)
    weight, intercept = np.zeros((s.d, c), dtype=np.float32), np.zeros(c, dtype=np.float32)
    kept = np.flatnonzero(regrouping.column_of >= 0)
    weight[:, regrouping.column_of[kept]] = head.weight[:, kept]
    intercept[regrouping.column_of[kept]] = head.intercept[kept]
    solved = Linear.of(system.head(s.sums[:, touched], s.counts[touched]))
    weight[:, touched], intercept[touched] = solved.weight, solved.intercept
    return Linear(weight, intercept)


def _familiarity(bundle: Bundle, single: SingleHead, learned: Learned) -> Familiarity | None:
    """Return the familiarity with the categories as they are now, as far as the sums tell their mean vectors.

    Where the sums are of photos, a product counts there by its photos, unlike in learning, where all count alike.
    """
    before, s = bundle.classifier.familiarity, learned.statistics
    if before is None or single.member.parts or single.member.pool.kind not in ("mean", *OF_ANSWERS):
        return before
    return Familiarity.of_means((s.sums / s.counts).T.astype(np.float32), before.held_out)


def _facts(facts: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    updates = [*facts.get("updates", []), {"date": datetime.now(UTC).date().isoformat()} | entry]
    moved = sum(update.get("products_changed", 0) for update in updates)
    notes = [note for note in facts.get("notes", []) if note != _NOTE.format(share=_MUCH)]
    if moved > _MUCH * facts.get("products", 0):
        notes.append(_NOTE.format(share=_MUCH))
    return facts | {"updates": updates, "notes": notes}


def _single(bundle: Bundle) -> SingleHead:
    single = single_head(bundle.classifier)
    assert single is not None, "what was learned was read, which only bundles with a single head keep"
    return single
