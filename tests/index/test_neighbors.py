import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from shelfwise.index.neighbors import nearest


def in_blocks(vectors, group, size):
    number = np.arange(len(vectors))
    for start in range(0, len(vectors), size):
        part = slice(start, start + size)
        yield number[part], group[part], vectors[part]


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_neighbors_are_those_of_all_cosines_however_the_vectors_are_cut(size: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 12)).astype(np.float32) * rng.uniform(0.1, 9, (500, 1)).astype(np.float32)
    queries, none = rng.standard_normal((20, 12)).astype(np.float32), np.full(20, -1)
    numbers, cosines = nearest(queries, none, in_blocks(vectors, np.arange(500), size), 6)
    expected = cosine_similarity(queries, vectors)
    np.testing.assert_array_equal(numbers, np.argsort(-expected, axis=1)[:, :6])
    np.testing.assert_allclose(cosines, np.take_along_axis(expected, numbers, axis=1), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 40))
def test_equal_vectors_come_in_the_order_of_their_numbers(seed: int, k: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 40)]
    numbers, _ = nearest(np.eye(3, dtype=np.float32), np.full(3, -1), in_blocks(vectors, np.arange(40), size), k)
    expected = np.argsort(-vectors.T, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(numbers, expected)


def test_vectors_of_the_own_group_are_no_neighbors_and_what_is_missing_is_marked() -> None:
    vectors, group = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 2])
    numbers, cosines = nearest(vectors[:1] + 0.1, np.array([0]), in_blocks(vectors, group, 3), 3)
    np.testing.assert_array_equal(numbers, [[2, 3, -1]])
    assert np.isneginf(cosines[0, 2]) and np.isfinite(cosines[0, :2]).all()


def test_no_vectors_and_no_queries_give_no_neighbors() -> None:
    numbers, _ = nearest(np.ones((2, 3), np.float32), np.arange(2), [], 4)
    np.testing.assert_array_equal(numbers, np.full((2, 4), -1))
    empty = np.empty((0, 3), np.float32)
    assert nearest(empty, np.arange(0), in_blocks(np.ones((5, 3), np.float32), np.arange(5), 2), 4)[0].shape == (0, 4)
