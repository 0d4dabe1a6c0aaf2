import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.statistics.packed import packed, unpacked


@given(st.integers(1, 40), st.integers(0, 99))
def test_a_symmetric_matrix_comes_back_bit_for_bit_from_half_its_numbers(d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((5, d))
    gram = rows.T @ rows
    triangle = packed(gram)
    assert triangle.tolist() == gram[np.triu_indices(d)].tolist()
    assert unpacked(triangle).tobytes() == gram.tobytes()


@pytest.mark.parametrize("length", [2, 4, 5, 7])
def test_numbers_that_are_no_triangle_are_refused(length: int) -> None:
    with pytest.raises(OptionError, match="no upper triangle"):
        unpacked(np.zeros(length))
