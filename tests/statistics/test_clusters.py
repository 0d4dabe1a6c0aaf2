import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.statistics import clusters
from shelfwise.statistics.clusters import joined_groups, look_alike_clusters


def at(*degrees: float) -> np.ndarray:
    """Unit vectors at angles in the plane, each with its opposite after all of them, so that their mean is zero."""
    angles = np.radians([*degrees, *(angle + 180 for angle in degrees)])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def same(group_of: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(group_of == group).tolist() for group in np.unique(group_of)]


def test_average_linkage_worked_by_hand() -> None:
    """Cosine distances: 0-1 0.0603, 1-2 0.2340, 0-2 0.5. {0, 1} meet first, 2 is (0.2340 + 0.5) / 2 from them."""
    vectors = at(0, 20, 60)
    column = np.repeat([0, 1], 3)
    assert same(look_alike_clusters(vectors, column, 0.36)) == [[0, 1], [2], [3, 4], [5]]
    assert same(look_alike_clusters(vectors, column, 0.37)) == [[0, 1, 2], [3, 4, 5]]
    assert same(look_alike_clusters(vectors, column, 0.06)) == [[0], [1], [2], [3], [4], [5]]


def test_neither_the_length_of_centered_vectors_nor_what_all_share_matters() -> None:
    vectors, column = at(0, 20, 60), np.repeat([0, 1], 3)
    lengths = np.array([1, 2, 3, 1, 2, 3])[:, None]
    for changed in (vectors * lengths, vectors + 7, (vectors * lengths + 7).astype(np.float32)):
        assert same(look_alike_clusters(changed, column, 0.36)) == [[0, 1], [2], [3, 4], [5]]


def test_alike_photos_of_different_categories_stay_apart() -> None:
    assert same(look_alike_clusters(at(0, 0, 0, 0), np.array([0, 1, 0, 1, 2, 2, 2, 2]))) == [
        [0, 2],
        [1, 3],
        [4, 5, 6, 7],
    ]


def brute_force(vectors: np.ndarray, distance: float) -> list[list[int]]:
    """Join the two clusters of least mean pairwise distance, again and again."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    apart = 1 - unit @ unit.T
    found = [[row] for row in range(len(vectors))]
    while len(found) > 1:
        pairs = [(apart[np.ix_(a, b)].mean(), a, b) for i, a in enumerate(found) for b in found[i + 1 :]]
        least, a, b = min(pairs)
        if least > distance:
            break
        found = [cluster for cluster in found if cluster not in (a, b)] + [sorted(a + b)]
    return sorted(found)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.05, 1.2))
@settings(deadline=None)
def test_clusters_equal_joining_by_brute_force(seed: int, n: int, distance: float) -> None:
    vectors = np.random.default_rng(seed).standard_normal((n, 3))
    vectors = np.concatenate([vectors, -vectors])
    clusters_of = look_alike_clusters(vectors, np.repeat([4, 9], n), distance)
    assert sorted(same(clusters_of[:n])) == brute_force(vectors[:n], distance)


def test_a_large_category_is_cut_in_the_order_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CHUNK_ROWS", 3)
    assert same(look_alike_clusters(at(0, 0, 0, 0), np.repeat([0, 1], 4))) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_one_row_no_row_and_rows_of_zeros_have_clusters() -> None:
    assert look_alike_clusters(np.ones((1, 3)), np.array([5])).tolist() == [0]
    assert same(look_alike_clusters(np.zeros((3, 2)), np.array([0, 0, 1]))) == [[0], [1], [2]]
    assert look_alike_clusters(np.empty((0, 3)), np.empty(0, dtype=int)).tolist() == []


def test_groupings_are_joined_where_they_share_a_row() -> None:
    products = [7, 7, 3, 3, 5, 1]
    duplicates = [0, 1, 1, 2, 3, 4]
    assert joined_groups(products).tolist() == [0, 0, 1, 1, 2, 3]
    assert joined_groups(products, duplicates).tolist() == [0, 0, 0, 0, 1, 2]
    assert joined_groups(products, duplicates, [9, 8, 7, 6, 5, 5]).tolist() == [0, 0, 0, 0, 1, 1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 15), st.integers(1, 3))
@settings(deadline=None)
def test_joined_groups_equal_spreading_the_least_label_until_nothing_changes(seed: int, n: int, count: int) -> None:
    groupings = np.random.default_rng(seed).integers(0, 8, (count, n))
    label = np.arange(n)
    for _ in range(n * count):
        for grouping in groupings:
            for row in range(n):
                label[row] = label[grouping == grouping[row]].min()
    np.testing.assert_array_equal(joined_groups(*groupings), np.unique(label, return_inverse=True)[1])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OptionError, match="n columns"):
        look_alike_clusters(np.ones((3, 2)), np.array([0, 1]))
    with pytest.raises(OptionError, match="cannot be joined"):
        joined_groups([0, 1], [0, 1, 2])
    with pytest.raises(OptionError, match="cannot be joined"):
        joined_groups()
