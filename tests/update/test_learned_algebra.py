"""Whatever is added, removed, moved, merged and split: what is kept is what learning from scratch gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.bundle.learned import Learned, digests
from shelfwise.bundle.learned_files import learned_from_files, learned_to_files
from shelfwise.errors import BundleError, OptionError
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.solve import System

N, PENALTY = 30, 0.1
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "move", "merge", "split"]), st.integers(0, N - 1), st.integers(0, 9)),
    max_size=15,
)


def drawn(d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, d)).astype(np.float32) + 1, np.array([f"p{i}" for i in range(N)], dtype=object)


def carried_out(learned: Learned, shelf: dict[str, int], x, ids, steps) -> tuple[Learned, dict[str, int]]:
    """Carry out the steps that make sense, and keep a plain list of who stands where."""
    for step, number, other in steps:
        product, vector = ids[[number]], x[[number]]
        c = learned.statistics.categories
        if step == "add" and ids[number] not in shelf:
            learned = learned.added(product, vector, np.array([other % c]))
            shelf[ids[number]] = other % c
        elif step == "remove" and ids[number] in shelf and len(shelf) > 4:
            learned = learned.removed(product, vector)
            del shelf[ids[number]]
        elif step == "move" and ids[number] in shelf:
            learned = learned.moved(product, vector, np.array([other % c]))
            shelf[ids[number]] = other % c
        elif step == "merge" and c > 2:
            goes = np.arange(c)
            goes[c - 1] = other % (c - 1)
            learned = learned.regrouped(goes, c - 1)
            shelf = {product: int(goes[column]) for product, column in shelf.items()}
        elif step == "split":
            chosen = [i for i in range(N) if shelf.get(ids[i]) == other % c and i % 2]
            learned = learned.regrouped(np.arange(c), c + 1)
            learned = learned.moved(ids[chosen], x[chosen], np.full(len(chosen), c))
            shelf |= {ids[i]: c for i in chosen}
    return learned, shelf


@given(STEPS, st.sampled_from([4, 45]), st.integers(0, 99))
@settings(max_examples=60)
def test_any_sequence_of_changes_equals_learning_from_scratch(steps, d: int, seed: int) -> None:
    x, ids = drawn(d, seed)
    first = np.arange(20)
    start = Learned.of(ids[:20], x[:20], first % 4, 4, PENALTY)
    learned, shelf = carried_out(start, {ids[i]: i % 4 for i in range(20)}, x, ids, steps)
    left = [i for i in range(N) if ids[i] in shelf]
    column = np.array([shelf[ids[i]] for i in left])
    scratch = Learned.of(ids[left], x[left], column, learned.statistics.categories, PENALTY)
    np.testing.assert_allclose(learned.statistics.gram, scratch.statistics.gram, atol=1e-8)
    np.testing.assert_allclose(learned.statistics.sums, scratch.statistics.sums, atol=1e-8)
    np.testing.assert_array_equal(learned.statistics.counts, scratch.statistics.counts)
    assert dict(zip(learned.product_ids, learned.column, strict=True)) == shelf
    s = learned.statistics
    found = System.of(s, PENALTY).head(s.sums, s.counts)
    expected = fit(Spectrum.from_rows(x[left]), scratch.statistics, PENALTY)
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-8)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-8)


@pytest.fixture
def learned() -> Learned:
    x, ids = drawn(6, 0)
    return Learned.of(ids[:12], x[:12], np.arange(12) % 3, 3, PENALTY)


def test_a_product_cannot_be_learned_twice(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    with pytest.raises(OptionError, match="the product 'p3' was learned before"):
        learned.added(ids[3:4], x[3:4], np.array([0]))
    with pytest.raises(OptionError, match="twice"):
        learned.added(ids[[20, 20]], x[[20, 20]], np.array([0, 0]))


def test_a_product_that_was_never_learned_cannot_be_taken_out(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    with pytest.raises(OptionError, match=r"2 products \('p20', 'p21'\) were never learned"):
        learned.removed(ids[[20, 21]], x[[20, 21]])
    with pytest.raises(OptionError, match="twice"):
        learned.removed(ids[[1, 1]], x[[1, 1]])


def test_a_product_whose_vector_moved_by_one_bit_cannot_be_taken_out(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    other = x[:1].copy()
    other[0, 5] = np.nextafter(other[0, 5], np.float32(9))
    assert digests(other) != digests(x[:1])
    with pytest.raises(OptionError, match="learned with other photos than the catalog holds now"):
        learned.removed(ids[:1], other)
    with pytest.raises(OptionError, match="other photos"):
        learned.moved(ids[:1], other, np.array([1]))
    assert len(learned.removed(ids[:1], x[:1])) == 11


def test_the_last_product_cannot_be_taken_out(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    with pytest.raises(OptionError, match="no product would be left"):
        learned.removed(ids[:12], x[:12])


def test_a_change_leaves_what_it_began_with_as_it_was(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    before = {name: array.tobytes() for name, array in learned.statistics.to_arrays().items()}
    learned.added(ids[20:25], x[20:25], np.zeros(5, int))
    learned.removed(ids[:3], x[:3])
    learned.moved(ids[:3], x[:3], np.ones(3, int))
    learned.regrouped(np.array([0, 0, 1]), 2)
    assert {name: array.tobytes() for name, array in learned.statistics.to_arrays().items()} == before


def test_what_is_stored_comes_back_bit_for_bit(learned: Learned) -> None:
    files = learned_to_files(learned, ["a", "b", "c"])
    again = learned_from_files(*files.values(), ["a", "b", "c"], 6)
    for name, array in learned.statistics.to_arrays().items():
        assert again.statistics.to_arrays()[name].tobytes() == array.tobytes()
    assert again.penalty == PENALTY
    assert again.product_ids.tolist() == learned.product_ids.tolist()
    assert again.column.tolist() == learned.column.tolist()
    assert again.digest.tolist() == learned.digest.tolist()


@pytest.mark.parametrize(
    ("categories", "d", "said"),
    [(["a", "c", "b"], 6, "other categories"), (["a", "b"], 6, "other categories"), (["a", "b", "c"], 7, "gram")],
)
def test_statistics_of_another_head_are_refused(learned: Learned, categories, d: int, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        learned_from_files(*learned_to_files(learned, ["a", "b", "c"]).values(), categories, d)


def test_a_list_of_products_that_does_not_fit_the_sums_is_refused(learned: Learned) -> None:
    x, ids = drawn(6, 0)
    fewer = learned.removed(ids[:1], x[:1])
    sums, products = (
        learned_to_files(learned, "abc")["statistics.safetensors"],
        learned_to_files(fewer, "abc")["learned.parquet"],
    )
    with pytest.raises(BundleError, match="does not list the products"):
        learned_from_files(sums, products, "abc", 6)
    for junk in (b"", b"PAR1 nonsense"):
        with pytest.raises(BundleError, match="not a table of products"):
            learned_from_files(sums, junk, "abc", 6)
        with pytest.raises(BundleError, match="does not hold statistics"):
            learned_from_files(junk, products, "abc", 6)
