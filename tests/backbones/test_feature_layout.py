import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shelfwise.backbones import FeatureLayout, parse_specs
from shelfwise.errors import BackboneError

LAYOUT = FeatureLayout(tuple(parse_specs("lite2@64:2+lite0+lite1:1")))
WIDTHS = [1280, 352, 208, 1280, 1280, 320]


def raw_vectors(n: int, seed: int = 0, dtype: type = np.float32) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(0, 3, (n, sum(spec.widths))) + 1).astype(dtype) for spec in LAYOUT.specs]


def parts(features: np.ndarray) -> list[np.ndarray]:
    return np.split(features, np.cumsum(WIDTHS)[:-1], axis=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_part_of_every_backbone_has_length_1_and_its_direction_in_the_order_of_the_layout(dtype: type) -> None:
    vectors = raw_vectors(4, dtype=dtype)
    kept = [vector.copy() for vector in vectors]
    features = LAYOUT.features(vectors)
    assert features.shape == (4, LAYOUT.dimension) == (4, sum(WIDTHS)) and features.dtype == np.float32
    raw = parts(np.concatenate(vectors, axis=1).astype(np.float64))
    for part, expected in zip(parts(features), raw, strict=True):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(part, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    for vector, before in zip(vectors, kept, strict=True):
        np.testing.assert_array_equal(vector, before)


def test_one_backbone_alone_does_not_change_the_callers_vectors() -> None:
    vectors = np.full((2, 1280), 2, dtype=np.float32)
    FeatureLayout(tuple(parse_specs("lite0"))).features([vectors])
    assert (vectors == 2).all()


@given(arrays.arrays(np.float32, (3,), elements=st.floats(2**-6, 2**6, width=32)), st.integers(0, 2**32 - 1))
def test_the_brightness_of_a_vector_does_not_matter(scale: np.ndarray, seed: int) -> None:
    vectors = raw_vectors(2, seed)
    scaled = [vector * factor for vector, factor in zip(vectors, scale, strict=True)]
    np.testing.assert_allclose(LAYOUT.features(scaled), LAYOUT.features(vectors), atol=1e-5)


def test_a_vector_of_zeros_stays_one_and_is_finite() -> None:
    features = LAYOUT.features([vector * 0 for vector in raw_vectors(2)])
    assert (features == 0).all()


def test_a_layout_is_the_same_after_json() -> None:
    assert FeatureLayout.from_dict(json.loads(json.dumps(LAYOUT.to_dict()))) == LAYOUT
    with pytest.raises(BackboneError, match="unknown fields"):
        FeatureLayout.from_dict([value | {"card": value["card"] | {"new": 1}} for value in LAYOUT.to_dict()])
