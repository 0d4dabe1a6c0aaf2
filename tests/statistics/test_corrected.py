import numpy as np
import pytest
from drawn_rows import Rows, draw_rows, spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from shelfwise.statistics.corrected import CorrectedHead

PENALTY = 0.1
STEPS = st.lists(
    st.tuples(st.sampled_from(["move", "forget", "add"]), st.integers(0, 29), st.integers(0, 4)), max_size=12
)


def refitted(rows: Rows, column, learned, out, alpha: float) -> np.ndarray:
    """Learn with scikit-learn from what is learned now without some rows, and answer those."""
    kept = learned & ~out
    ridge = Ridge(alpha=alpha, solver="cholesky").fit(rows.x[kept], np.eye(5)[column[kept]])
    return ridge.predict(rows.x[out])


def corrected(rows: Rows, head: CorrectedHead, steps) -> tuple[np.ndarray, np.ndarray]:
    """Carry out the steps that make sense; return columns and which rows are learned."""
    column, learned = rows.column.copy(), np.ones(len(rows.x), bool)
    for step, row, new in steps:
        q = head.whiten(rows.x[[row]])[0]
        if step == "move" and learned[row]:
            head.move(q, column[row], new)
            column[row] = new
        elif step == "forget" and learned[row] and learned.sum() > 8:
            head.forget(q, column[row])
            learned[row] = False
        elif step == "add" and not learned[row]:
            head.add(q, new)
            column[row], learned[row] = new, True
    return column, learned


@given(STEPS, st.sampled_from([(30, 5), (30, 50)]), st.integers(0, 99))
@settings(max_examples=40)
def test_after_any_corrections_the_answers_are_those_of_learning_anew(steps, shape, seed: int) -> None:
    rows = draw_rows(*shape, 3, seed=seed)
    group = np.arange(30) // 3
    for spectrum in spectra(rows).values():
        head = CorrectedHead.of_spectrum(spectrum, rows.statistics(), PENALTY)
        column, learned = corrected(rows, head, steps)
        scores = head.left_out(head.whiten(rows.x), column, group, learned)
        np.testing.assert_array_equal(head.counts, np.bincount(column[learned], minlength=len(head.counts)))
        for label in range(10):
            expected = refitted(rows, column, learned, group == label, spectrum.alpha(PENALTY))
            found = np.pad(scores[group == label], ((0, 0), (0, 5 - scores.shape[1])))
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_correction_that_is_taken_back_leaves_no_trace() -> None:
    rows = draw_rows(30, 6, 3)
    head = CorrectedHead.of_spectrum(spectra(rows)["rows"], rows.statistics(), PENALTY)
    q = head.whiten(rows.x)
    alone, all_learned = np.arange(30), np.ones(30, bool)
    before = head.left_out(q, rows.column, alone, all_learned)
    for row in range(20):
        head.forget(q[row], rows.column[row])
        head.move(q[25], rows.column[25], (rows.column[25] + 1) % 3)
    for row in range(20):
        head.move(q[25], (rows.column[25] + 1) % 3, rows.column[25])
        head.add(q[row], rows.column[row])
    np.testing.assert_allclose(head.left_out(q, rows.column, alone, all_learned), before, atol=1e-9)


@pytest.mark.parametrize("new", [3, 7])
def test_a_row_can_open_a_new_category(new: int) -> None:
    rows = draw_rows(30, 6, 3)
    head = CorrectedHead.of_spectrum(spectra(rows)["rows"], rows.statistics(), PENALTY)
    head.move(head.whiten(rows.x[:1])[0], int(rows.column[0]), new)
    assert len(head.counts) == new + 1
    assert head.counts[new] == 1


@pytest.mark.parametrize("d", [6, 50])
def test_a_row_never_seen_before_can_be_added_to_a_completed_spectrum(d: int) -> None:
    rows = draw_rows(30, d, 3)
    first = Rows(rows.x[:20], rows.column[:20], rows.weight[:20], 3)
    for spectrum in spectra(first).values():
        head = CorrectedHead.of_spectrum(spectrum.completed(), first.statistics(), PENALTY)
        q = head.whiten(rows.x)
        for row in range(20, 30):
            head.add(q[row], int(rows.column[row]))
        scores = head.left_out(q, rows.column, np.arange(30), np.ones(30, bool))
        ridge = rows.refit(np.arange(30) != 4, spectrum.alpha(PENALTY))
        np.testing.assert_allclose(scores[4], ridge.predict(rows.x[[4]])[0], atol=1e-7)
