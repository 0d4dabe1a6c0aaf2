"""What a report shows, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfwise.metrics.calibration import ReliabilityBin
    from shelfwise.metrics.classification import Scores
    from shelfwise.taxonomy import Taxonomy

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader has to know before believing a figure; an `alarm` says that the figures cannot be used."""

    kind: Literal["alarm", "warning", "info"]
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts of one kind (the bundle, the data, the learning): label and value, in order."""

    title: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A product with its photo (a data URI, or empty), what it is and what was answered, as names from the top."""

    product_id: str
    photo: str
    truth: Path
    answer: Path
    confidence: float
    probability_of_truth: float


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One category's line: names from the top, counts of products, figures (None: nothing to divide by)."""

    path: Path
    support: int
    answered: int
    precision: float | None
    recall: float | None
    f1: float | None
    confused_with: Path | None
    confused_count: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two categories taken for each other, with examples of each direction."""

    first: Path
    second: Path
    first_as_second: int
    second_as_first: int
    first_examples: tuple[Example, ...]
    second_examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion of one level: names in tree order, the branch (top node) of each, cells (truth, answer, count)."""

    level: str
    names: tuple[str, ...]
    paths: tuple[str, ...]
    branches: tuple[str, ...]
    branch_of: tuple[int, ...]
    cells: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything on the page.

    `scores` are those of the evaluated products, `leave_one_out` what was expected while learning, `metrics` what
    metrics.json holds, `learned` the facts of the bundle; levels run from the top, `level_sizes` counts their nodes; `bins`
    by level, the deepest first; `wrong` and `unsure` are galleries; `left_out_levels` names the levels that are too large
    to draw as a matrix.
    """

    title: str
    subtitle: str
    date: str
    scores: Scores
    leave_one_out: Scores | None
    metrics: Mapping[str, Any]
    learned: Mapping[str, Any]
    taxonomy: Taxonomy
    notes: tuple[Note, ...]
    level_sizes: tuple[int, ...]
    categories: tuple[CategoryRow, ...]
    matrices: tuple[Matrix, ...]
    left_out_levels: tuple[str, ...]
    pairs: tuple[Pair, ...]
    bins: Mapping[str, tuple[ReliabilityBin, ...]]
    wrong: tuple[Example, ...]
    unsure: tuple[Example, ...]
    facts: tuple[FactGroup, ...]
    command: str
