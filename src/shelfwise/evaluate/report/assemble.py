"""From answers to what a report shows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.evaluate.report.data import CategoryRow, Example, FactGroup, Matrix, Note, Pair, ReportData
from shelfwise.metrics.calibration import reliability
from shelfwise.metrics.confusion import CategoryScores, ConfusedPair, confused_pairs, confusion, per_category

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shelfwise.metrics.answers import Answers
    from shelfwise.metrics.classification import Scores
    from shelfwise.taxonomy import Taxonomy

LARGEST_MATRIX = 300
SEPARATOR = " \u203a "


def no_photo(product_id: str) -> str:  # noqa: ARG001
    """Show no photo of any product."""
    return ""


def report_data(
    answers: Answers,
    taxonomy: Taxonomy,
    scores: Scores,
    *,
    title: str,
    subtitle: str,
    date: str,
    command: str,
    photo: Callable[[str], str] = no_photo,
    leave_one_out: Scores | None = None,
    metrics: Mapping[str, Any] | None = None,
    learned: Mapping[str, Any] | None = None,
    notes: Sequence[Note] = (),
    facts: Sequence[FactGroup] = (),
    pairs: int = 10,
    examples: int = 12,
) -> ReportData:
    """Collect everything a report shows about answers.

    `metrics` is what metrics.json holds, `learned` the facts of the bundle; parts of both may be absent. `photo` gives a
    product's thumbnail as a data URI (see `thumbnail`), or "" where there is none; it is asked once for each product shown.
    """
    shown = _Examples(answers, taxonomy, cache(photo))
    matrices, left_out = _matrices(answers, taxonomy)
    right = answers.right
    return ReportData(
        title=title,
        subtitle=subtitle,
        date=date,
        scores=scores,
        leave_one_out=leave_one_out,
        metrics=metrics or {},
        learned=learned or {},
        taxonomy=taxonomy,
        notes=tuple(notes),
        level_sizes=tuple(len(nodes) for nodes in answers.level_nodes),
        categories=tuple(_category(row, taxonomy) for row in per_category(confusion(answers))),
        matrices=matrices,
        left_out_levels=left_out,
        pairs=tuple(shown.pair(pair) for pair in confused_pairs(answers, limit=pairs, examples=3)),
        bins={name: tuple(reliability(answers, level)) for level, name in [*enumerate(answers.level_names)][::-1]},
        wrong=shown.of([row for row in np.argsort(-answers.confidence, kind="stable") if not right[row]][:examples]),
        unsure=shown.of(np.argsort(answers.confidence, kind="stable")[:examples]),
        facts=tuple(facts),
        command=command,
    )


class _Examples:
    """Products by row number, with names and photos."""

    def __init__(self, answers: Answers, taxonomy: Taxonomy, photo: Callable[[str], str]) -> None:
        self.answers, self.taxonomy, self.photo = answers, taxonomy, photo

    def of(self, rows: Iterable[int]) -> tuple[Example, ...]:
        return tuple(self._one(int(row)) for row in rows)

    def _one(self, row: int) -> Example:
        answers = self.answers
        product_id = str(answers.product_ids[row])
        return Example(
            product_id=product_id,
            photo=self.photo(product_id),
            truth=self.taxonomy.names(answers.categories[answers.truth[row]]),
            answer=self.taxonomy.names(answers.categories[answers.answer[row]]),
            confidence=float(answers.confidence[row]),
            probability_of_truth=float(answers.probability_of_truth[row]),
        )

    def pair(self, pair: ConfusedPair) -> Pair:
        first_column = self.answers.categories.index(pair.first)
        return Pair(
            first=self.taxonomy.names(pair.first),
            second=self.taxonomy.names(pair.second),
            first_as_second=pair.first_as_second,
            second_as_first=pair.second_as_first,
            first_examples=self.of(row for row in pair.rows if self.answers.truth[row] == first_column),
            second_examples=self.of(row for row in pair.rows if self.answers.truth[row] != first_column),
        )


def _category(row: CategoryScores, taxonomy: Taxonomy) -> CategoryRow:
    return CategoryRow(
        path=taxonomy.names(row.category),
        support=row.support,
        answered=row.answered,
        precision=row.precision if row.answered else None,
        recall=row.recall if row.support else None,
        f1=row.f1 if row.answered or row.support else None,
        confused_with=None if row.confused_with is None else taxonomy.names(row.confused_with),
        confused_count=row.confused_count,
    )


def _matrices(answers: Answers, taxonomy: Taxonomy) -> tuple[tuple[Matrix, ...], tuple[str, ...]]:
    """Lay out the levels that can be drawn, at least the top one, and name those that cannot."""
    sizes = [len(nodes) for nodes in answers.level_nodes]
    drawn = [level for level, size in enumerate(sizes) if size <= LARGEST_MATRIX or level == 0]
    left_out = tuple(name for level, name in enumerate(answers.level_names) if level not in drawn)
    return tuple(_matrix(answers, taxonomy, level) for level in drawn), left_out


def _matrix(answers: Answers, taxonomy: Taxonomy, level: int) -> Matrix:
    counts = confusion(answers, level)
    order = {node: place for place, node in enumerate(_tree_order(taxonomy, set(counts.categories)))}
    place = [order[node] for node in counts.categories]
    tops = list(dict.fromkeys(taxonomy.path(node)[0] for node in order))
    cells = zip(counts.truth.tolist(), counts.answer.tolist(), counts.count.tolist(), strict=True)
    return Matrix(
        level=answers.level_names[level],
        names=tuple(taxonomy.nodes[node].name for node in order),
        paths=tuple(SEPARATOR.join(taxonomy.names(node)[:-1]) for node in order),
        branches=tuple(taxonomy.nodes[top].name for top in tops),
        branch_of=tuple(tops.index(taxonomy.path(node)[0]) for node in order),
        cells=tuple((place[truth], place[answer], count) for truth, answer, count in cells),
    )


def _tree_order(taxonomy: Taxonomy, wanted: set[str]) -> list[str]:
    """Order nodes so that every branch is one block."""
    every = dict.fromkeys(node for leaf in taxonomy.leaves for node in taxonomy.path(leaf))
    return [node for node in every if node in wanted]
