from dataclasses import replace

import numpy as np
import pytest
from drawn_shelves import SHELVES, DrawnShelves, InMemory, draw_shelves
from sklearn.linear_model import Ridge

from shelfwise.backbones.products import embedded_layout, read_products
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.progress import SILENT
from shelfwise.shelves import left_out
from shelfwise.shelves.judge import (
    BEST,
    Judged,
    best_shelves,
    held_out_right,
    judge,
    judge_learned,
    judge_rows,
    with_look_alikes,
)
from shelfwise.shelves.left_out import Filed, learn, same_pictures
from shelfwise.shelves.vectors import Vectors


def judged(shop: DrawnShelves) -> Judged:
    return judge_rows(shop.rows, shop.filed, shop.category, len(SHELVES))


def refitted(shop: DrawnShelves, at: Judged) -> np.ndarray:
    """Probabilities (p, c) of scikit-learn's ridge, learned anew for each group of equal pictures."""
    shelves = learn(shop.rows, shop.filed, len(SHELVES), SILENT)
    x, alpha, kept = shop.rows.x.astype(float), shelves.spectrum.alpha(at.penalty), shop.category >= 0
    scores = np.empty((len(x), len(SHELVES)))
    for label in np.unique(shop.group):
        out = shop.group == label
        ridge = Ridge(alpha=alpha, solver="cholesky")
        ridge.fit(x[kept & ~out], np.eye(len(SHELVES))[shop.category[kept & ~out]])
        scores[out] = ridge.predict(x[out])
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / at.temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("d", [10, 200])
@pytest.mark.parametrize("chunk", [7, 2048])
def test_answers_are_those_of_learning_anew_without_each_product(
    monkeypatch: pytest.MonkeyPatch, d: int, chunk: int
) -> None:
    monkeypatch.setattr(left_out, "CHUNK_ROWS", chunk)
    shop = draw_shelves(d=d, moved=6, shared=10)
    answers = judged(shop)
    expected = refitted(shop, answers)
    np.testing.assert_allclose(answers.own, expected[np.arange(120), shop.category], atol=2e-4)
    np.testing.assert_array_equal(answers.shelves[:, 0], expected.argmax(axis=1))
    best = answers.shelves[:, : len(SHELVES)]
    np.testing.assert_allclose(
        answers.probabilities[:, : len(SHELVES)], np.take_along_axis(expected, best, axis=1), atol=2e-4
    )
    assert (np.diff(answers.probabilities[:, : len(SHELVES)], axis=1) <= 0).all()
    assert (answers.shelves[:, len(SHELVES) :] == -1).all()


@pytest.mark.parametrize("sampled", [30, 4096])
def test_few_products_are_judged_alike_with_and_without_what_later_corrections_need(
    monkeypatch: pytest.MonkeyPatch, sampled: int
) -> None:
    monkeypatch.setattr(left_out, "SAMPLE_ROWS", sampled)
    shop = draw_shelves(d=200, moved=6, shared=10)
    answers = judged(shop)
    shelves = learn(shop.rows, shop.filed, len(SHELVES), SILENT)
    shelves = replace(shelves, penalty=answers.penalty, temperature=answers.temperature)
    others = judge_learned(shop.rows, shop.filed, shelves, shop.category)
    np.testing.assert_allclose(others.own, answers.own, atol=2e-4)
    np.testing.assert_array_equal(others.shelves, answers.shelves)


def test_the_suggestion_is_the_best_other_shelf() -> None:
    shop = draw_shelves(moved=6)
    answers = judged(shop)
    shelf, probability = answers.suggested
    assert (shelf != shop.category).all()
    expected = refitted(shop, answers)
    expected[np.arange(120), shop.category] = -1
    np.testing.assert_array_equal(shelf, expected.argmax(axis=1))
    np.testing.assert_allclose(probability, expected.max(axis=1), atol=2e-4)


def test_moved_products_are_doubted() -> None:
    shop = draw_shelves(300, moved=12)
    answers = judged(shop)
    assert (answers.own[-12:] < 0.2).all()
    assert np.median(answers.own[:-12]) > 0.9


def test_a_product_alone_on_its_shelf_has_no_answer_about_it() -> None:
    shop = draw_shelves(shared=1)
    shop.category[shop.category == 3] = 2
    shop.category[:2] = 3  # the same picture twice, and nothing else on the shelf
    answers = judged(shop)
    assert np.isnan(answers.own[:2]).all()
    assert answers.judged[2:].all()
    assert (answers.shelves[:2, 0] >= 0).all()


def test_products_without_a_shelf_are_not_judged_and_nothing_is_learned_from_them() -> None:
    shop = draw_shelves()
    shop.category[:20] = -1
    answers = judged(shop)
    np.testing.assert_array_equal(answers.judged, np.arange(120) >= 20)
    assert (answers.shelves[:20] == -1).all()
    np.testing.assert_allclose(
        answers.own[20:], refitted(shop, answers)[np.arange(20, 120), shop.category[20:]], atol=2e-4
    )


def test_a_catalog_of_one_product_a_shelf_has_no_answers() -> None:
    shop = draw_shelves(4)
    shop.category[:] = np.arange(4)
    answers = judged(shop)
    assert not answers.judged.any()
    assert np.isnan(answers.penalty)


def test_products_that_share_pictures_through_others_are_one_group_and_a_placeholder_binds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(left_out, "LARGEST_GROUP", 3)
    product = np.array([0, 1, 1, 2, 3, 4, 5, 6, 7])
    picture = np.array([0, 0, 1, 1, 2, 3, 3, 3, 3])
    group = same_pictures(product, picture, 9)
    assert group[0] == group[1] == group[2]
    assert len(np.unique(group)) == 7


def test_groups_stay_whole_in_chunks_and_in_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_out, "CHUNK_ROWS", 8)
    rng = np.random.default_rng(0)
    filed = Filed.of(rng.permutation(100), rng.integers(0, 5, 100), rng.integers(0, 40, 100))
    chunks = list(filed.chunks())
    assert sum(map(len, chunks)) == 100
    of_chunk = [set(chunk.group) for chunk in chunks]
    assert sum(map(len, of_chunk)) == len(set.union(*of_chunk))
    assert max(map(len, chunks)) < 8 + 12
    sample = filed.take(filed.sample(30, seed=1))
    assert 30 <= len(sample) < 45
    assert np.isin(filed.group, sample.group).sum() == len(sample)


def test_a_group_too_large_to_be_one_product_falls_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_out, "LARGEST_GROUP", 3)
    filed = Filed.of(np.arange(9), np.zeros(9, int), np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]))
    assert sorted(np.unique(filed.group, return_counts=True)[1]) == [1, 1, 1, 1, 2, 3]


def test_vectors_are_read_in_parts_and_never_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_out, "CHUNK_ROWS", 50)
    monkeypatch.setattr(left_out, "SAMPLE_ROWS", 60)
    shop, asked = draw_shelves(1000), []
    read = shop.rows.read

    def recorded(products: np.ndarray) -> np.ndarray:
        asked.append(len(products))
        return read(products)

    monkeypatch.setattr(type(shop.rows), "read", lambda _self, products: recorded(products))
    judged(shop)
    assert max(asked) <= 61
    assert sum(asked) <= 2 * 1000 + 61  # two passes and the sample


def test_the_best_shelves_are_those_of_a_full_sort() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(30), 50)
    shelves, values = best_shelves(probabilities)
    np.testing.assert_array_equal(shelves, np.argsort(-probabilities, axis=1)[:, :BEST])
    np.testing.assert_allclose(values, -np.sort(-probabilities, axis=1)[:, :BEST], rtol=1e-6)


def test_vectors_of_a_catalog_are_those_that_training_reads(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    vectors = Vectors(catalog, inventory, layout)
    data = read_products(catalog, layout, ["val"])
    products = np.flatnonzero(inventory.split == inventory.splits.index("val"))
    assert catalog.product_ids(products) == data.product_ids.tolist()
    np.testing.assert_allclose(vectors.read(products), data.x, atol=1e-6)
    assert vectors.has.all()


def test_every_product_of_a_catalog_is_judged(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    answers = judge(catalog, inventory, layout)
    assert answers.judged.all()
    assert (answers.shelves[:, 0] == inventory.category).mean() > 0.6


def test_products_whose_photos_are_not_embedded_have_no_vector_and_no_answer(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    key = layout.specs[0].key
    known = catalog.embedded_pictures(key)
    catalog.embedded_pictures = lambda _key: known.slice(5)  # as if the first five pictures were not embedded yet
    rows = catalog.embedding_rows
    catalog.embedding_rows = lambda key, places: rows(key, places + 5)
    answers = judge(catalog, inventory, layout)
    np.testing.assert_array_equal(np.flatnonzero(~answers.judged), np.arange(5))


def test_held_out_answers_are_those_of_scikit_learn(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    train, val = (inventory.splits.index(name) for name in ("train", "val"))
    right = held_out_right(catalog, inventory, layout, train, val)
    np.testing.assert_array_equal(right >= 0, inventory.split == val)
    vectors = Vectors(catalog, inventory, layout)
    learned, asked = (np.flatnonzero(inventory.split == split) for split in (train, val))
    x, column = vectors.read(learned).astype(float), inventory.category[learned]
    shelves = learn(vectors, Filed.of(learned, column, learned), len(inventory.categories), SILENT)
    ridge = Ridge(alpha=shelves.spectrum.alpha(shelves.penalty)).fit(x, np.eye(len(inventory.categories))[column])
    best = ridge.predict(vectors.read(asked).astype(float)).argmax(axis=1)
    np.testing.assert_array_equal(right[asked], best == inventory.category[asked])


@pytest.mark.parametrize("rows_at_once", [5, 3000])
def test_look_alikes_of_a_shelf_are_left_out_with_a_product_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    for module in ("judge.CHUNK_ROWS", "left_out.CHUNK_ROWS"):
        monkeypatch.setattr(f"shelfwise.shelves.{module}", rows_at_once)
    monkeypatch.setattr("shelfwise.statistics.clusters.CHUNK_ROWS", rows_at_once)
    rng = np.random.default_rng(5)
    seen = rng.standard_normal((20, 32)) + 3
    x = (np.repeat(seen, 3, axis=0) + 0.05 * rng.standard_normal((60, 32))).astype(np.float32)  # bursts of three
    column = np.repeat(np.arange(4), 15).astype(np.int32)
    filed = Filed.of(np.arange(60), column, np.arange(60))
    joined = with_look_alikes(InMemory(x), filed)
    assert sorted(joined.product.tolist()) == list(range(60))
    group = np.empty(60, np.int64)
    group[joined.product] = joined.group
    bursts = group.reshape(20, 3)
    whole = (bursts == bursts[:, :1]).all(axis=1)
    assert whole.all() if rows_at_once == 3000 else whole.sum() >= 12  # a burst may be cut where a chunk ends
    assert len(np.unique(group)) >= 20
    assert (column[joined.product] == joined.column).all()
