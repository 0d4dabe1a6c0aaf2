"""Which held-out answers calibration and thresholds rest on, and what is told, for answers of a known quality."""

from __future__ import annotations

import numpy as np
import pytest

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.columns import Columns
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train.estimates import Estimates, Judge, estimate
from shelfwise.train.learned import LearnedClassifier, LearnedMember
from shelfwise.train.rows import Grouping

C, P = 6, 600
TREE = Taxonomy([Node("a", "A", None), Node("b", "B", None)] + [Node(f"f{i}", f"F{i}", "ab"[i % 2]) for i in range(C)])
COLUMNS = Columns(TREE.leaves, TREE)


def scores_right(column: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw scores (p, c) whose largest is the right one for a share of products."""
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(len(column)) < share, column, (column + rng.integers(1, C, len(column))) % C)
    return (rng.normal(0, 0.5, (len(column), C)) + 4 * np.eye(C)[told]).astype(np.float32)


def products(x: np.ndarray, column: np.ndarray) -> ProductFeatures:
    every = np.arange(len(x))
    ids, categories = (
        np.array(v, dtype=np.object_) for v in ([f"p{i}" for i in every], [COLUMNS.categories[c] for c in column])
    )
    return ProductFeatures(ids, categories, x, every, every, every, 0, 0)


def judged(
    one_by_one: float, apart: float, validation: float | None, p_validation: int = 300
) -> tuple[Judge, Estimates]:
    column = (np.arange(P) % C).astype(np.int32)
    held_out = {
        way: log_softmax(scores_right(column, share, seed), 1.0)
        for seed, (way, share) in enumerate({"leave_one_out": one_by_one, "leave_look_alikes_out": apart}.items())
    }
    head = Linear(np.eye(C, dtype=np.float32), np.zeros(C, dtype=np.float32))  # the vectors are the scores
    member = LearnedMember(Member("drawn", Flat(head, 1.0)), {}, "drawn", lambda way, rows: held_out[way][rows])
    asked = None
    if validation is not None:
        truth = (np.arange(p_validation) % C).astype(np.int32)
        asked = products(scores_right(truth, validation, 9), truth)
    groups = Grouping(np.arange(P), np.arange(P) // 3)
    data = products(scores_right(column, 1.0, 8), column)
    judge = Judge(LearnedClassifier((member,), (1.0,)), data, column, COLUMNS, groups, asked)
    return judge, estimate(judge)


@pytest.mark.parametrize(
    ("one_by_one", "apart", "validation", "source", "told"),
    [
        (0.99, 0.63, 0.83, "validation", "Believe the validation split"),
        (0.90, 0.88, 0.89, "leave_look_alikes_out", None),
        (0.90, 0.60, 0.90, "validation", None),  # leaving look-alikes out is too dark, and validation knows better
        (0.70, 0.60, 0.99, "validation", None),  # the validation split is easier: nothing was too bright
        (0.99, 0.63, None, "leave_look_alikes_out", "no validation split of 50 products or more tells where"),
        (0.93, 0.90, None, "leave_look_alikes_out", None),
    ],
)
def test_what_calibration_rests_on_and_what_is_told(one_by_one, apart, validation, source, told):
    _, found = judged(one_by_one, apart, validation)
    assert found.calibrated_on == source
    assert (told is None and not found.notes) or (len(found.notes) == 1 and told in found.notes[0])
    expected = {"validation": validation, "leave_look_alikes_out": apart}[source]
    assert found.held_out.right.mean() == pytest.approx(expected, abs=0.05)
    assert found.held_out.confidence.mean() == pytest.approx(found.held_out.right.mean(), abs=0.02)


def test_a_note_tells_the_figures_that_are_printed_beside_it():
    _, found = judged(0.99, 0.63, 0.83)
    assert f"{found.figures['leave_one_out']['top1']['value']:.1%}" in found.notes[0]
    assert f"{found.figures['validation']['top1']['value']:.1%}" in found.notes[0]


def test_six_validation_products_do_not_overrule_six_hundred_left_out():
    _, found = judged(0.98, 0.70, 0.1, p_validation=6)
    assert found.calibrated_on == "leave_look_alikes_out"
    assert "The truth lies between" in found.notes[0]


def test_left_out_answers_are_in_the_order_of_the_products():
    judge, found = judged(0.9, 0.8, None)
    assert found.left_out.product_ids.tolist() == judge.data.product_ids.tolist()
    assert found.left_out.truth.tolist() == judge.column.tolist()
