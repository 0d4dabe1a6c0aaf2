import numpy as np
import pytest
from drawn_shelves import SHELVES, TREE, draw_shelves

from shelfwise.shelves.judge import Judged, judge_rows
from shelfwise.shelves.rank import EDGE_NATS, edges_between, wrong_shelves

APPLE, PEAR, MILK, BALL = range(4)


def answers(*rows: tuple[int, float, tuple[int, ...], tuple[float, ...]]) -> Judged:
    """Own shelf, its probability, the best shelves and theirs, by hand."""
    category, own, shelves, probabilities = zip(*rows, strict=True)
    return Judged(
        np.array(category, np.int32), np.array(own, np.float32), np.array(shelves, np.int32),
        np.array(probabilities, np.float32), 0.1, 0.1,
    )  # fmt: skip


def suspects(judged: Judged, limit: int = 10):
    return wrong_shelves(judged, TREE, draw_shelves(4).inventory, limit)


def test_edges_are_counted_up_to_the_lowest_common_ancestor_and_down_again() -> None:
    one, other = np.array([APPLE, APPLE, APPLE, MILK, BALL]), np.array([APPLE, PEAR, MILK, APPLE, APPLE])
    # apple - fruit - pear; apple - fruit - food - milk; ball - toys - (root) - food - fruit - apple
    np.testing.assert_array_equal(edges_between(TREE, SHELVES, one, other), [0, 2, 3, 3, 5])


def test_a_doubt_worked_by_hand() -> None:
    found = suspects(answers((APPLE, 0.1, (MILK, APPLE), (0.64, 0.1))))
    assert found.product.tolist() == [0]
    assert (found.category[0], found.shelf[0], found.distance[0]) == (APPLE, MILK, 3)
    assert (found.own_probability[0], found.shelf_probability[0]) == pytest.approx((0.1, 0.64))
    assert found.doubt[0] == pytest.approx(np.log(0.8) - np.log(0.1) + 3 * EDGE_NATS)


def test_of_equal_doubts_the_shelf_farther_away_comes_first() -> None:
    near, far = (APPLE, 0.1, (PEAR, APPLE), (0.8, 0.1)), (APPLE, 0.1, (BALL, APPLE), (0.8, 0.1))
    assert suspects(answers(near, far, near)).product.tolist() == [1, 0, 2]


def test_products_that_stand_right_or_were_not_judged_are_no_suspects() -> None:
    right, unknown = (APPLE, 0.9, (APPLE, PEAR), (0.9, 0.1)), (APPLE, np.nan, (PEAR, APPLE), (0.9, 0.0))
    doubted = (PEAR, 0.3, (APPLE, PEAR), (0.6, 0.3))
    assert suspects(answers(right, unknown, doubted)).product.tolist() == [2]
    assert len(suspects(answers(right))) == 0


def test_a_probability_of_nothing_is_ranked_and_not_infinite() -> None:
    found = suspects(answers((APPLE, 0.0, (PEAR, BALL), (1.0, 0.0)), (APPLE, 0.1, (PEAR, BALL), (0.9, 0.0))))
    assert found.product.tolist() == [0, 1]
    assert np.isfinite(found.doubt).all()


def test_only_as_many_as_asked_for_are_listed_and_they_are_the_first() -> None:
    shop = draw_shelves(400, moved=20)
    judged = judge_rows(shop.rows, shop.filed, shop.category, len(SHELVES))
    every, few = (wrong_shelves(judged, TREE, shop.inventory, limit) for limit in (400, 5))
    np.testing.assert_array_equal(few.product, every.product[:5])
    assert (np.diff(every.doubt) <= 0).all()


def test_the_first_suspects_are_the_products_that_were_moved_and_go_back_where_they_were() -> None:
    shop = draw_shelves(400, d=16, moved=20)
    judged = judge_rows(shop.rows, shop.filed, shop.category, len(SHELVES))
    found = wrong_shelves(judged, TREE, shop.inventory, 20)
    assert (found.product >= 380).mean() >= 0.9
    moved = found.product >= 380
    assert (found.shelf[moved] == shop.true[found.product[moved]]).mean() >= 0.9
