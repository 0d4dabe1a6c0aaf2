"""Whatever is added, removed, moved, merged and split: what is kept is what learning from scratch gives."""

from collections import Counter
from dataclasses import replace

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


class Photos:
    """The rows of drawn products, 1 to `most` each: photos that a head answers for, or the products where it is 1."""

    def __init__(self, d: int, most: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.whose = np.repeat(np.arange(N), rng.integers(1, most + 1, N))
        self.x = rng.standard_normal((len(self.whose), d)).astype(np.float32) + 1

    def rows(self, numbers) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of some products, in the order of these, and whose each is."""
        places = [(row, place) for place, number in enumerate(numbers) for row in np.flatnonzero(self.whose == number)]
        return self.x[[row for row, _ in places]], np.array([place for _, place in places], dtype=int)


def carried_out(learned: Learned, shelf: dict[str, int], photos: Photos, ids, steps) -> tuple[Learned, dict[str, int]]:
    """Carry out the steps that make sense, and keep a plain list of who stands where."""
    for step, number, other in steps:
        product, (x, whose) = ids[[number]], photos.rows([number])
        c = learned.statistics.categories
        if step == "add" and ids[number] not in shelf:
            learned = learned.added(product, x, np.array([other % c]), whose)
            shelf[ids[number]] = other % c
        elif step == "remove" and ids[number] in shelf and len(shelf) > 4:
            learned = learned.removed(product, x, whose)
            del shelf[ids[number]]
        elif step == "move" and ids[number] in shelf:
            learned = learned.moved(product, x, np.array([other % c]), whose)
            shelf[ids[number]] = other % c
        elif step == "merge" and c > 2:
            goes = np.arange(c)
            goes[c - 1] = other % (c - 1)
            learned = learned.regrouped(goes, c - 1)
            shelf = {product: int(goes[column]) for product, column in shelf.items()}
        elif step == "split":
            chosen = [i for i in range(N) if shelf.get(ids[i]) == other % c and i % 2]
            learned = learned.regrouped(np.arange(c), c + 1)
            x, whose = photos.rows(chosen)
            learned = learned.moved(ids[chosen], x, np.full(len(chosen), c), whose)
            shelf |= {ids[i]: c for i in chosen}
    return learned, shelf


@given(STEPS, st.sampled_from([4, 45]), st.sampled_from([1, 3]), st.integers(0, 99))
@settings(max_examples=100)
def test_any_sequence_of_changes_equals_learning_from_scratch(steps, d: int, most: int, seed: int) -> None:
    """From scratch every row is learned as a product of its own."""
    photos, ids = Photos(d, most, seed), drawn(d, seed)[1]
    x, whose = photos.rows(range(20))
    start = Learned.of(ids[:20], x, np.arange(20) % 4, 4, PENALTY, whose)
    learned, shelf = carried_out(start, {ids[i]: i % 4 for i in range(20)}, photos, ids, steps)
    left = [row for row, number in enumerate(photos.whose) if ids[number] in shelf]
    x, of_rows = photos.x[left], ids[photos.whose[left]]
    column = np.array([shelf[product] for product in of_rows])
    scratch = Learned.of(np.arange(len(x)).astype(object), x, column, learned.statistics.categories, PENALTY)
    np.testing.assert_allclose(learned.statistics.gram, scratch.statistics.gram, atol=1e-8)
    np.testing.assert_allclose(learned.statistics.sums, scratch.statistics.sums, atol=1e-8)
    np.testing.assert_array_equal(learned.statistics.counts, scratch.statistics.counts)
    assert dict(zip(learned.product_ids, learned.column, strict=True)) == shelf
    assert dict(zip(learned.product_ids, learned.rows, strict=True)) == Counter(of_rows)
    s = learned.statistics
    found = System.of(s, PENALTY).head(s.sums, s.counts)
    expected = fit(Spectrum.from_rows(x), scratch.statistics, PENALTY)
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


def test_a_product_is_taken_out_with_all_its_photos_in_their_order_only() -> None:
    photos, (_, ids) = Photos(6, 3, 0), drawn(6, 0)
    x, whose = photos.rows(range(N))
    learned = Learned.of(ids, x, np.arange(N) % 3, 3, PENALTY, whose)
    number = int(np.flatnonzero(np.bincount(whose) == 3)[0])
    own, zeros = photos.rows([number])
    for other in (own[:2], own[::-1], np.concatenate([own, own[:1]])):
        with pytest.raises(OptionError, match="other photos"):
            learned.removed(ids[[number]], other, np.zeros(len(other), int))
    left = learned.removed(ids[[number]], own, zeros)
    assert (len(left), left.statistics.weight) == (N - 1, len(x) - 3)


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
    assert again.rows.tolist() == learned.rows.tolist()
    assert again.digest.tolist() == learned.digest.tolist()


@pytest.mark.parametrize(
    ("categories", "d", "said"),
    [(["a", "c", "b"], 6, "other categories"), (["a", "b"], 6, "other categories"), (["a", "b", "c"], 7, "gram")],
)
def test_statistics_of_another_head_are_refused(learned: Learned, categories, d: int, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        learned_from_files(*learned_to_files(learned, ["a", "b", "c"]).values(), categories, d)


def test_a_list_of_products_with_other_numbers_of_rows_is_refused(learned: Learned) -> None:
    files = learned_to_files(learned, "abc")
    for rows, said in ((learned.rows + 1, "does not list the products"), (learned.rows * 0, "without rows")):
        products = learned_to_files(replace(learned, rows=rows), "abc")["learned.parquet"]
        with pytest.raises(BundleError, match=said):
            learned_from_files(files["statistics.safetensors"], products, "abc", 6)


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
