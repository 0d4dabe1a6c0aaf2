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
from shelfwise.classifiers.pools import Pool

HEAD = Linear(np.zeros((4, 2), np.float32), np.zeros(2, np.float32))


def classifier(*members: Member) -> Classifier:
    return Classifier(members, (1 / len(members),) * len(members), Calibration())


def single(pool: str, parts=()) -> SingleHead:
    found = single_head(classifier(Member("one", Flat(HEAD, 1.0), Pool(pool), parts)))
    assert found is not None
    return found


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=8), st.sampled_from(["mean", "max", "concat"]), st.integers(0, 9)
)
def test_a_product_has_the_same_vector_to_the_bit_whoever_is_read_with_it(photos, pool: str, seed: int):
    """What is taken out by its digest was learned among all others."""
    product = np.repeat(np.arange(len(photos)), photos)
    x = np.random.default_rng(seed).standard_normal((len(product), 37)).astype(np.float32)
    head = single(pool, ((0, 20), (25, 37)))
    together = digests(head.pooled(x, product, len(photos)))
    for one in range(len(photos)):
        own = x[product == one]
        assert digests(head.pooled(own, np.zeros(len(own), np.int64), 1)) == together[one]


@pytest.mark.parametrize("pool", ["scores", "gate"])
def test_a_head_that_answers_for_photos_is_none_that_products_can_be_added_to(pool: str):
    assert single_head(classifier(Member("one", Flat(HEAD, 1.0), Pool(pool)))) is None


def test_an_ensemble_has_no_single_head():
    assert single_head(classifier(Member("a", Flat(HEAD, 1.0)), Member("b", Flat(HEAD, 1.0)))) is None
