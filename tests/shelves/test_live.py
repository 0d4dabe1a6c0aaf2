import numpy as np
import pytest
from drawn_shelves import SHELVES, DrawnShelves, draw_shelves
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.progress import SILENT
from shelfwise.shelves import live as live_module
from shelfwise.shelves.judge import judge
from shelfwise.shelves.left_out import Filed
from shelfwise.shelves.live import LiveShelves

P = 60
STEPS = st.lists(
    st.tuples(st.sampled_from(["move", "forget", "restore"]), st.integers(0, P - 1), st.integers(0, 3)), max_size=15
)


def live(shop: DrawnShelves) -> LiveShelves:
    everything = Filed.of(np.arange(len(shop.category)), shop.category, shop.group)
    return LiveShelves.of(shop.rows, shop.filed, everything, shop.inventory, SILENT)


def learned_anew(shop: DrawnShelves, category, kept, alpha: float, temperature: float) -> np.ndarray:
    """Probabilities (p, c) by the normal equations, solved again without each group."""
    x = np.column_stack([np.ones(len(category)), shop.rows.x.astype(float)])
    ridge = alpha * np.diag([0.0, *np.ones(shop.rows.d)])
    scores = np.empty((len(category), 4))
    for label in np.unique(shop.group):
        out = shop.group == label
        rows = x[kept & ~out]
        scores[out] = x[out] @ np.linalg.solve(rows.T @ rows + ridge, rows.T @ np.eye(4)[category[kept & ~out]])
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@given(STEPS, st.sampled_from([6, 80]), st.integers(0, 50))
@settings(max_examples=12)
def test_after_any_corrections_products_are_judged_as_if_learned_anew(steps, d: int, seed: int) -> None:
    shop = draw_shelves(P, d=d, seed=seed, moved=4, shared=5)
    shop.category[10:13] = -1  # some have no shelf yet
    shelves = live(shop)
    filed_at_first = shop.rows.x[shop.category >= 0].astype(float)
    alpha = shelves.judged.penalty * filed_at_first.var(axis=0).sum() * len(filed_at_first) / d
    category, aside = shop.category.copy(), np.zeros(P, bool)
    for step, product, shelf in steps:
        if step == "move":
            shelves.move(product, shelf)
            category[product] = shelf
        elif step == "forget":
            shelves.forget(product)
            aside[product] = True
        else:
            shelves.restore(product)
            aside[product] = False
    again = shelves.judge_again(np.arange(P))
    expected = learned_anew(shop, category, (category >= 0) & ~aside, alpha, shelves.judged.temperature)
    own = expected[np.arange(P), category]
    np.testing.assert_array_equal(again.category, category)
    judged = again.judged
    np.testing.assert_allclose(again.own[judged], own[judged], atol=1e-4)
    filed = category >= 0
    np.testing.assert_array_equal(again.shelves[~filed, 0], -1)
    best = np.take_along_axis(expected, again.shelves[:, :4], axis=1)[filed]
    np.testing.assert_allclose(again.probabilities[filed, :4], best, atol=1e-4)
    np.testing.assert_allclose(best[:, 0], expected.max(axis=1)[filed], atol=1e-4)


def test_without_corrections_nothing_changes_however_few_are_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_AT_ONCE", 7)
    monkeypatch.setattr(live_module, "_KEPT_ROWS", 3)
    shelves = live(draw_shelves(P, moved=4, shared=5))
    before = shelves.judged.take(np.arange(P))
    again = shelves.judge_again(np.arange(P))
    np.testing.assert_allclose(again.own, before.own, atol=1e-5)
    np.testing.assert_array_equal(again.shelves[:, 0], before.shelves[:, 0])
    assert len(shelves._whitened) <= 3


def test_a_product_that_was_put_right_is_no_longer_doubted_and_helps_its_look_alikes() -> None:
    shop = draw_shelves(300, d=16, moved=30)
    shelves = live(shop)
    before = shelves.judged.take(np.arange(270, 300)).own
    for product in range(271, 300):
        shelves.move(product, int(shop.true[product]))
    again = shelves.judge_again(np.arange(270, 300))
    assert (again.own[1:] > 0.5).mean() > 0.9
    assert again.own[0] <= before[0] + 0.05  # still on the wrong shelf, and now all others agree


def test_products_alone_on_a_shelf_have_no_answer_until_another_joins_them() -> None:
    shop = draw_shelves(P)
    shelves = live(shop)
    shelves.move(0, len(SHELVES))
    assert np.isnan(shelves.judge_again(np.array([0])).own[0])
    shelves.move(1, len(SHELVES))
    assert np.isfinite(shelves.judge_again(np.array([0])).own[0])


def test_a_catalog_in_which_nothing_can_be_judged_takes_corrections_all_the_same() -> None:
    shop = draw_shelves(4)
    shop.category[:] = np.arange(4)
    shelves = live(shop)
    shelves.move(0, 1)
    shelves.forget(1)
    shelves.restore(1)
    again = shelves.judge_again(np.arange(4))
    assert again.category.tolist() == [1, 1, 2, 3]
    assert not again.judged.any()


def test_a_catalog_is_judged_as_the_audit_judges_it(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    shelves, expected = LiveShelves.from_catalog(catalog, inventory, layout), judge(catalog, inventory, layout)
    np.testing.assert_allclose(shelves.judged.own, expected.own, atol=1e-4)
    again = shelves.judge_again(np.arange(inventory.products))
    np.testing.assert_allclose(again.own, expected.own, atol=1e-4)
