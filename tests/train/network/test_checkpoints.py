"""What a checkpoint keeps, refuses and tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.errors import CatalogError, OptionError
from shelfwise.train.network.safety.checkpoints import Checkpoints, Origin

SETTINGS = {
    "epochs": 3, "rate": 0.1, "sides_px": [64, 128], "freezes_batch_norm": True, "bf16": False, "network": "small-cnn",
    "changes": [{"kind": "crop", "strength": 0.5}, {"kind": "flip", "strength": 0.5}],
}  # fmt: skip
MACHINE = {"torch": "2.14.1", "threads": 2, "processes": 1, "device": "cpu"}
ORIGIN = Origin(SETTINGS, ("red", "green"), np.arange(10, dtype=np.uint64), MACHINE)
VALUES = {"epoch": 1, "step": 2, "optimizer": {}}


def saved(folder: Path, origin: Origin = ORIGIN, steps: int = 1) -> Checkpoints:
    checkpoints = Checkpoints(folder, origin)
    for step in range(1, steps + 1):
        checkpoints.save({"network.w": torch.full((2, 3), float(step))}, VALUES, step)
    return checkpoints


def test_the_last_state_comes_back_as_it_was_and_two_are_kept(tmp_path: Path):
    saved(tmp_path, steps=4)
    found = Checkpoints(tmp_path, ORIGIN).last()
    assert found is not None
    assert found.values == VALUES
    assert torch.equal(found.tensors["network.w"], torch.full((2, 3), 4.0))
    assert not found.photos_changed
    assert [int(file.name[:12]) for file in sorted(tmp_path.glob("*.safetensors"))] == [3, 4]


def test_where_none_was_written_there_is_none(tmp_path: Path):
    assert Checkpoints(tmp_path / "new", ORIGIN).last() is None


@settings(max_examples=30)
@given(place=st.integers(0, 100_000), bit=st.integers(0, 7))
def test_whichever_bit_flips_the_state_before_is_taken_and_it_is_told(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
):
    folder = tmp_path_factory.mktemp("flip")
    saved(folder, steps=2)
    before, last = sorted(folder.glob("*.safetensors"))
    data = bytearray(last.read_bytes())
    data[place % len(data)] ^= 1 << bit
    last.write_bytes(data)
    checkpoints = Checkpoints(folder, ORIGIN)
    found = checkpoints.last()
    assert found is not None
    assert torch.equal(found.tensors["network.w"], torch.full((2, 3), 1.0))
    assert checkpoints.notes == [f"the checkpoint {last} is damaged: going on from the one before"]
    checkpoints.tidy()
    assert list(folder.glob("*.safetensors")) == [before], "else it would be kept longer than the whole ones"


def test_leftovers_of_a_killed_save_are_removed(tmp_path: Path):
    checkpoints = saved(tmp_path)
    (tmp_path / ".000000000002-00.safetensors.0a0b0c0d.part").write_bytes(b"half")
    checkpoints.tidy()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path, number: float):
    checkpoints = saved(tmp_path)
    before = sorted(file.name for file in tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"network\.w holds a number that is not finite"):
        checkpoints.save({"network.w": torch.tensor([1.0, number])}, VALUES, 2)
    with pytest.raises(ValueError, match="float"):
        checkpoints.save({}, VALUES | {"loss_sum": number}, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"epochs": 5}, "--epochs 3 is now 5"),
        ({"rate": 0.2}, "--learning-rate 0.1 is now 0.2"),
        ({"sides_px": [64]}, "--side 64,128 is now 64"),
        ({"freezes_batch_norm": False}, "--batch-norm frozen is now learned"),
        ({"bf16": True}, "--precision fp32 is now bf16"),
        ({"changes": []}, r"--augment crop=0\.5\+flip=0\.5 is now none"),
    ],
)
def test_other_settings_are_refused_in_the_words_of_the_command(tmp_path: Path, changed: dict, told: str):
    saved(tmp_path)
    with pytest.raises(OptionError, match=rf"learned otherwise \({told}\): give the same options"):
        Checkpoints(tmp_path, replace(ORIGIN, settings=SETTINGS | changed)).last()


def test_the_same_categories_in_another_order_are_refused(tmp_path: Path):
    saved(tmp_path)
    with pytest.raises(OptionError, match="the categories, or their order, are others"):
        Checkpoints(tmp_path, replace(ORIGIN, categories=("green", "red")), accept_changes=True).last()


def test_changed_photos_are_counted_and_refused_unless_they_are_accepted(tmp_path: Path):
    saved(tmp_path)
    now = replace(ORIGIN, photos=np.arange(3, 15, dtype=np.uint64))
    with pytest.raises(CatalogError, match=r"dataset_changed: .*\(\+5, -3 photos\).*--accept-changes"):
        Checkpoints(tmp_path, now).last()
    accepting = Checkpoints(tmp_path, now, accept_changes=True)
    found = accepting.last()
    assert found is not None
    assert found.photos_changed
    assert accepting.notes == ["the catalog changed since the run began (+5, -3 photos), which was accepted"]
    accepting.save({}, VALUES, 2)
    assert not Checkpoints(tmp_path, now).last().photos_changed, "from here on it is what the run learns from"


def test_the_same_photos_in_another_order_are_another_run(tmp_path: Path):
    saved(tmp_path)
    with pytest.raises(CatalogError, match="the same photos in another order"):
        Checkpoints(tmp_path, replace(ORIGIN, photos=ORIGIN.photos[::-1].copy())).last()


def test_another_machine_goes_on_with_a_note(tmp_path: Path):
    saved(tmp_path)
    elsewhere = Checkpoints(tmp_path, replace(ORIGIN, machine=MACHINE | {"threads": 8, "torch": "3.0"}))
    assert elsewhere.last() is not None
    assert elsewhere.notes == [
        "the run began elsewhere (torch 2.14.1 is now 3.0, threads 2 is now 8): it goes on, but not to the same last bits"
    ]
