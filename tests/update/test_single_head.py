import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.bundle.learned import digests
from shelfwise.bundle.single_head import SingleHead, single_head
from shelfwise.classifiers.calibration import Calibration
from shelfwise.classifiers.classifier import Classifier
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.pools import KINDS, Pool

HEAD = Linear(np.zeros((4, 2), np.float32), np.zeros(2, np.float32))


def classifier(*members: Member) -> Classifier:
    return Classifier(members, (1 / len(members),) * len(members), Calibration())


def single(pool: str, parts=()) -> SingleHead:
    found = single_head(classifier(Member("one", Flat(HEAD, 1.0), Pool(pool), parts)))
    assert found is not None
    return found


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.sampled_from(KINDS), st.integers(0, 9))
def test_a_product_has_the_same_vector_to_the_bit_whoever_is_read_with_it(photos, pool: str, seed: int):
    """What is taken out by its digest was learned among all others."""
    product = np.repeat(np.arange(len(photos)), photos)
    x = np.random.default_rng(seed).standard_normal((len(product), 37)).astype(np.float32)
    head = single(pool, ((0, 20), (25, 37)))
    together = digests(*head.rows_of(x, product, len(photos)))
    for one in range(len(photos)):
        own = x[product == one]
        assert digests(*head.rows_of(own, np.zeros(len(own), np.int64), 1)) == together[one]


@pytest.mark.parametrize("pool", ["scores", "gate"])
def test_the_rows_of_a_head_that_answers_for_photos_are_the_photos(pool: str):
    x, product = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0, 0, 1])
    rows, whose = single(pool).rows_of(x, product, 2)
    np.testing.assert_array_equal(rows, x)
    np.testing.assert_array_equal(whose, product)


def test_an_ensemble_has_no_single_head():
    assert single_head(classifier(Member("a", Flat(HEAD, 1.0)), Member("b", Flat(HEAD, 1.0)))) is None
