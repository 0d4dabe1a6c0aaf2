"""Samples mixed with one another: targets go by what is seen of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from shelfwise.train.network.inputs.mixing import mixed


@dataclass
class Asked:
    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 7


SHAPES = [(6, 3, 20, 30), (6, 8, 7, 7), (6, 40), (6, 9, 16)]


def own_values(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Samples that hold nothing but their own number, and one category each."""
    numbers = torch.arange(shape[0], dtype=torch.float32)
    return numbers.view(-1, *[1] * (len(shape) - 1)).expand(shape).clone(), torch.eye(shape[0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("step", range(20))
def test_targets_of_cutmix_are_the_areas_that_are_seen(shape: tuple[int, ...], step: int) -> None:
    inputs, target = own_values(shape)
    seen, shares = mixed(inputs, target, Asked(cutmix=1.0), (0, step, 0))
    for number in range(shape[0]):
        values = seen[number].numpy()
        expected = [np.mean(values == other) for other in range(shape[0])]
        np.testing.assert_allclose(shares[number], expected, atol=1e-6)
    assert torch.equal(inputs, own_values(shape)[0])  # what was given stays as it was


@pytest.mark.parametrize("shape", SHAPES)
def test_mixup_is_the_mean_by_the_shares_of_its_targets(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, target = torch.rand(shape, generator=generator), torch.eye(shape[0])
    seen, shares = mixed(inputs, target, Asked(mixup=0.4), (1, 2, 0))
    torch.testing.assert_close(seen.flatten(1), shares @ inputs.flatten(1))
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(shape[0]))


def test_a_cutmix_patch_is_one_rectangle() -> None:
    inputs, target = own_values((2, 1, 40, 50))
    for step in range(30):
        seen, _ = mixed(inputs, target, Asked(cutmix=1.0), (0, step, 0))
        pasted = (seen[0, 0] != 0).numpy()
        rows, columns = pasted.any(axis=1).nonzero()[0], pasted.any(axis=0).nonzero()[0]
        if len(rows):
            assert pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            assert pasted.sum() == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)


def test_a_step_is_mixed_the_same_way_wherever_it_is_taken() -> None:
    inputs, target = own_values((8, 3, 6, 6))
    asked = Asked(mixup=0.3, cutmix=1.0)
    for place in [(0, 0, 0), (3, 5, 1)]:
        first, again = mixed(inputs, target, asked, place), mixed(inputs, target, asked, place)
        assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(mixed(inputs, target, asked, (0, 1, 0))[1], mixed(inputs, target, asked, (0, 2, 0))[1])


def test_where_both_are_asked_for_a_coin_decides_at_every_step() -> None:
    inputs, target = own_values((8, 1, 16, 16))
    blended = 0
    for step in range(400):
        seen, _ = mixed(inputs, target, Asked(mixup=1.0, cutmix=1.0), (0, step, 0))
        blended += bool((seen != seen.round()).any())
    assert 150 <= blended <= 250


def test_shares_of_mixup_are_drawn_from_the_beta_distribution() -> None:
    from scipy.stats import beta, kstest

    inputs, target = torch.zeros(5, 1), torch.eye(5)
    shares = []
    for step in range(400):
        _, share = mixed(inputs, target, Asked(mixup=0.4), (0, step, 0))
        shares.extend(value for value in (share.diagonal(),) if float(value.max()) < 1)
    drawn = [float(value[value < 1].min()) for value in shares]
    assert kstest(drawn, beta(0.4, 0.4).cdf).pvalue > 0.001


def test_nothing_is_mixed_that_is_not_asked_for() -> None:
    inputs, target = own_values((4, 3, 5, 5))
    assert mixed(inputs, target, Asked(), (0, 0, 0)) == (inputs, target)
