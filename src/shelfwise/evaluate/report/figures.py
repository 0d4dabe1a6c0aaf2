"""The figures in words: names, meanings, how they are written, where leave-one-out disagrees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shelfwise.evaluate.report.data import Note, ReportData
from shelfwise.metrics.intervals import Estimate, Proportion, differ
from shelfwise.page.numbers import NARROW_SPACE, NOTHING, percent

if TYPE_CHECKING:
    from shelfwise.metrics.classification import Scores

MEANINGS = {
    "top1": ("Top-1 accuracy", "The first answer is the right category."),
    "top5": ("Top-5 accuracy", "The right category is among the first five answers."),
    "macro_f1": ("Macro-F1", "F1 of every category, averaged so that rare ones count as much as common ones."),
    "macro_precision": ("Macro precision", "Of what was put on a shelf, how much belongs there; mean over shelves."),
    "macro_recall": ("Macro recall", "Of what belongs on a shelf, how much was put there; mean over shelves."),
    "weighted_f1": ("Weighted F1", "F1 averaged by how many products each category has."),
    "weighted_precision": ("Weighted precision", "Precision averaged by how many products each category has."),
    "weighted_recall": ("Weighted recall", "The same as top-1 accuracy, where every product has one category."),
    "micro_f1": (
        "Micro-F1",
        "Precision, recall and F1 over all products at once; with one answer each, top-1.",
    ),
    "hierarchical_f1": (
        "Hierarchical F1",
        "F1 that counts every shelf on the way down: a wrong variety of the right fruit is nearly right.",
    ),
    "hierarchical_precision": (
        "Hierarchical precision",
        "Of the shelves on the ways answered, how many are on the right way.",
    ),
    "hierarchical_recall": (
        "Hierarchical recall",
        "Of the shelves on the right ways, how many the answers went through.",
    ),
    "tree_distance": (
        "Tree distance",
        "Steps in the tree from the answer to the right category, on average over all products; lower is better.",
    ),
    "mistake_distance": (
        "Tree distance of mistakes",
        "The same over wrong answers alone: 2 is a sibling, more is another branch; lower is better.",
    ),
    "log_loss": ("Log-loss", "How little probability the right category was given; 0 is perfect, lower is better."),
    "calibration_error": (
        "Calibration error",
        "How far stated confidence is from being right, on average over 15 bins; lower is better.",
    ),
}
NOT_SHARES = ("log_loss", "tree_distance", "mistake_distance")
OF_TREES = ("hierarchical_f1", "hierarchical_precision", "hierarchical_recall", "tree_distance", "mistake_distance")
PROPORTIONS = ("top1", "top5", "micro_f1")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: what it is called, what it means, its estimate and what leave-one-out said."""

    name: str
    meaning: str
    estimate: Estimate
    leave_one_out: float | None
    disagrees: bool
    is_share: bool


def sure(confidence: float) -> str:
    """Write a confidence without claiming certainty that is not there."""
    if confidence > 0.995:
        return f"over 99{NARROW_SPACE}%"
    return f"under 1{NARROW_SPACE}%" if confidence < 0.005 else percent(confidence, 0)


def written(value: float | None, is_share: bool) -> str:
    """Write a figure: shares as per cent, losses as numbers."""
    if value is None or is_share:
        return percent(value)
    return f"{value:.3f}"


def interval(estimate: Estimate, is_share: bool) -> str:
    """Write the 95 % interval."""
    if estimate.low is None or estimate.high is None:
        return NOTHING
    if is_share:
        return f"{100 * estimate.low:.1f} to {percent(estimate.high)}"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def all_figures(data: ReportData) -> list[Figure]:
    """List the figures over the leaves, in the order of MEANINGS; those of trees where there is more than one level."""
    left_out = OF_TREES if len(data.level_sizes) == 1 else ()
    return [_leaf_figure(data, key) for key in MEANINGS if key in data.scores.figures and key not in left_out]


def _leaf_figure(data: ReportData, key: str) -> Figure:
    name, meaning = MEANINGS[key]
    other = data.leave_one_out.figures.get(key) if data.leave_one_out else None
    found = _figure(data, name, meaning, data.scores.figures[key], other, proportion=key in PROPORTIONS)
    return replace(found, is_share=key not in NOT_SHARES)


def level_figures(data: ReportData) -> list[tuple[str, int, Figure, Figure]]:
    """List the levels from the deepest up: name, nodes, top-1 and macro-F1."""
    rows = []
    for (level, figures), size in zip(data.scores.levels.items(), data.level_sizes, strict=True):
        others = data.leave_one_out.levels.get(level, {}) if data.leave_one_out else {}
        top1 = _figure(
            data,
            f"Top-1 accuracy, {level}" if len(data.level_sizes) > 1 else MEANINGS["top1"][0],
            "",
            figures["top1"],
            others.get("top1"),
            proportion=True,
        )
        macro = _figure(data, f"Macro-F1, {level}", "", figures["macro_f1"], others.get("macro_f1"), proportion=False)
        rows.append((level, size, top1, macro))
    return rows[::-1]


def _figure(
    data: ReportData, name: str, meaning: str, estimate: Estimate, other: Estimate | None, *, proportion: bool
) -> Figure:
    disagrees = False
    if other is not None and data.leave_one_out is not None and proportion:
        disagrees = _disagree(estimate, data.scores, other, data.leave_one_out)
    return Figure(name, meaning, estimate, None if other is None else other.value, disagrees, is_share=True)


def _disagree(estimate: Estimate, scores: Scores, other: Estimate, others: Scores) -> bool:
    return differ(Proportion(estimate.value, scores.products), Proportion(other.value, others.products))


def verdict(data: ReportData) -> str:
    """Say in one sentence how good the bundle is."""
    rows = [(level, top1.estimate.value) for level, _, top1, _ in level_figures(data)]
    first = f"Of 100 products like these, about {round(100 * rows[0][1])} land on the right shelf"
    if len(rows) == 1:
        return f"{first}."
    above = [f"about {round(100 * value)} in the right {level} category" for level, value in rows[1:]]
    return f"{first}, {' and '.join(above)}."


def mistakes(data: ReportData) -> str:
    """Say how near the wrong answers are, where the tree has more than one level and something is wrong."""
    shares = [
        f"{percent(figures['mistakes_within'].value, 0)} lie within the right {level} category"
        for level, figures in data.scores.levels.items()
        if "mistakes_within" in figures
    ]
    return f"Of the wrong answers, {' and '.join(shares[::-1])}." if shares else ""


def disagreement(data: ReportData) -> Note | None:
    """Explain in plain words why leave-one-out and the evaluated products disagree, where they do."""
    if data.leave_one_out is None:
        return None
    top1 = _leaf_figure(data, "top1")
    if not top1.disagrees or top1.leave_one_out is None:
        return None
    told, found = percent(top1.leave_one_out), percent(top1.estimate.value)
    if top1.leave_one_out > top1.estimate.value:
        return Note(
            "warning",
            "These training photos are not independent",
            f"Leaving each training product out in turn promised {told}; on the evaluated products it is {found}. "
            "That happens when photos come in bursts: the same item, on the same shelf, seconds apart. The photo left "
            f"out then has a twin that stays, and the answer is remembered, not learned. Believe {found}, and take "
            "thresholds and calibration from a validation split.",
        )
    return Note(
        "warning",
        "The evaluated products are easier than the training products",
        f"Leaving each training product out in turn promised {told}; on the evaluated products it is {found}. "
        "They may hold fewer of the difficult categories, or cleaner photos. Expect the lower figure on a catalog that "
        "looks like the training products.",
    )
