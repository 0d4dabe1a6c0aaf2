"""Products that are held apart where there is no validation split."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="networks need the extra [torch]")

from shelfwise.errors import CatalogError
from shelfwise.train.network.inputs.photos import Photos, held_apart


def photos_of(pictures: list[int], columns: list[int]) -> Photos:
    """One photo a product; equal numbers are equal pictures."""
    n = len(pictures)
    digests = np.array([bytes([number % 256, number // 256]) * 16 for number in pictures], dtype=np.object_)
    ids = np.array([f"p{row}" for row in range(n)], dtype=np.object_)
    return Photos(cast(Any, None), np.arange(n), digests, np.arange(n), np.array(columns, np.int32), ids)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), min_size=40, max_size=120))
def test_no_picture_stands_on_both_sides_and_no_category_is_lost(rows: list[tuple[int, int]]):
    photos = photos_of(*(list(each) for each in zip(*rows, strict=True)))
    try:
        learned, held = held_apart(photos)
    except CatalogError:
        return
    assert not set(learned.sha256) & set(held.sha256)
    assert set(learned.column) == set(photos.column)
    assert sorted([*learned.product_ids, *held.product_ids]) == sorted(photos.product_ids)


def test_about_a_tenth_is_held_apart_and_the_only_product_of_a_category_never():
    photos = photos_of(list(range(3000)), [row % 3 if row < 2900 else row for row in range(3000)])
    learned, held = held_apart(photos)
    assert 220 < len(held.product_ids) < 370
    assert set(range(2900, 3000)) <= set(learned.column)


def test_too_few_products_are_an_error_that_says_what_to_do():
    with pytest.raises(CatalogError, match="name a validation split val"):
        held_apart(photos_of([1, 2], [0, 1]))
