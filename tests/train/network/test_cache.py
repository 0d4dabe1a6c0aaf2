"""Activations that are computed once: the right ones, gone on with, never silently wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import shelfwise.train.network.inputs.cache as cache
from shelfwise.errors import DiskFullError, LossError
from shelfwise.progress import SILENT
from shelfwise.train.network.inputs.cache import Cached, cache_of, digest_of, fill, remove_others, trunk_of, view_files

N, VIEWS, SIDE = 21, 3, 8
MADE_OF = {"front": "f", "photos": "p", "seed": 0}


class Numbers:
    """Samples (3, 8, 8) that tell their view and number, and count how many were asked for."""

    def __init__(self, n: int = N, times: float = 1.0) -> None:
        self.n, self.times, self.asked = n, times, 0

    def __len__(self) -> int:
        return self.n

    def batches(self, epoch: int, parts: Iterable[np.ndarray]) -> Iterator[Tensor]:
        for part in parts:
            self.asked += len(part)
            chance = [np.random.default_rng([epoch, int(row)]).random((3, SIDE, SIDE), np.float32) for row in part]
            yield torch.from_numpy(self.times * np.stack(chance))


def named(rows: np.ndarray) -> list[str]:
    return [f"photo-{row}" for row in rows]


@pytest.fixture(scope="module")
def front() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()).eval()


@pytest.fixture(scope="module")
def trunk(front: nn.Module) -> cache.Trunk:
    return trunk_of(front, SIDE, SILENT)


def filled(trunk: cache.Trunk, folder: Path, views: int = VIEWS, samples: Numbers | None = None) -> list[Path]:
    fill(trunk, samples or Numbers(), named, folder, views, SILENT, "compute")
    return view_files(folder, views)


def test_a_row_is_what_torch_computes_of_that_view_of_that_photo(front: nn.Module, trunk: cache.Trunk, tmp_path: Path):
    files = filled(trunk, tmp_path)
    for view, file in enumerate(files):
        rows = np.fromfile(file, np.float16).reshape(N, *trunk.shape)
        with torch.no_grad():
            wanted = front(next(Numbers().batches(view, [np.arange(N)]))).numpy()
        np.testing.assert_allclose(rows, wanted, rtol=1e-3, atol=1e-3)


def test_an_epoch_draws_a_view_of_each_photo_by_seed_and_epoch_alone(trunk: cache.Trunk, tmp_path: Path):
    files = filled(trunk, tmp_path)
    views = [np.fromfile(file, np.float16).reshape(N, -1) for file in files]
    drawn = set()
    for epoch in range(20):
        (rows,) = Cached(files, trunk.shape, 7).batches(epoch, [np.arange(N)])
        flat = rows.numpy().reshape(N, -1)
        which = [
            next(v for v in range(VIEWS) if np.array_equal(flat[n], views[v][n].astype(np.float32))) for n in range(N)
        ]
        drawn |= set(which)
        (again,) = Cached(files, trunk.shape, 7).batches(epoch, [np.arange(N)[::-1].copy()])
        assert torch.equal(again.flip(0), rows), "whatever the order"
    assert drawn == set(range(VIEWS))


@pytest.mark.parametrize("size_bytes", [0, 1, 100, 1700, 4000])
def test_a_file_that_was_cut_off_anywhere_is_gone_on_with_to_the_same_bytes(
    trunk: cache.Trunk, tmp_path: Path, size_bytes: int
):
    whole = [file.read_bytes() for file in filled(trunk, tmp_path / "whole")]
    files = filled(trunk, tmp_path / "cut")
    files[1].write_bytes(whole[1][:size_bytes])
    files[2].unlink()
    samples = Numbers()
    filled(trunk, tmp_path / "cut", samples=samples)
    assert [file.read_bytes() for file in files] == whole
    assert samples.asked <= 2 * N, "the first view was not computed again"


def test_more_views_are_added_to_those_that_are_there(trunk: cache.Trunk, tmp_path: Path):
    few = [file.read_bytes() for file in filled(trunk, tmp_path, views=1)]
    samples = Numbers()
    files = filled(trunk, tmp_path, samples=samples)
    assert samples.asked == (VIEWS - 1) * N
    assert files[0].read_bytes() == few[0]
    samples = Numbers()
    filled(trunk, tmp_path, views=2, samples=samples)
    assert samples.asked == 0


def test_the_graph_is_not_made_where_all_is_there(trunk: cache.Trunk, tmp_path: Path):
    filled(trunk, tmp_path)

    def never() -> bytes:
        raise AssertionError("made again")

    filled(cache.Trunk(never, trunk.shape), tmp_path)


def test_a_second_run_waits_for_the_first_and_computes_nothing(trunk: cache.Trunk, tmp_path: Path):
    class Slow(Numbers):
        def batches(self, epoch: int, parts: Iterable[np.ndarray]) -> Iterator[Tensor]:
            for batch in super().batches(epoch, parts):
                time.sleep(0.01)
                yield batch

    first, second = Slow(), Slow()
    runs = [threading.Thread(target=filled, args=(trunk, tmp_path, VIEWS, samples)) for samples in (first, second)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted([first.asked, second.asked]) == [0, VIEWS * N]


def test_activations_beyond_float16_are_told_with_the_photos(tmp_path: Path):
    with torch.no_grad():
        loud = nn.Sequential(nn.Conv2d(3, 1, 1))
        loud[0].weight.fill_(1.0)
    with pytest.raises(
        LossError, match=r"activation_not_finite: the activations of photo-0, .* beyond the 65,504.*--tune"
    ):
        filled(trunk_of(loud.eval(), SIDE, SILENT), tmp_path, samples=Numbers(times=1e5))


def test_activations_of_damaged_weights_are_told_and_not_kept(tmp_path: Path):
    damaged = nn.Sequential(nn.Conv2d(3, 1, 1))
    with torch.no_grad():
        damaged[0].weight[0, 0] = float("nan")
    with pytest.raises(LossError, match=r"are no numbers any more.*--start"):
        filled(trunk_of(damaged.eval(), SIDE, SILENT), tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.glob("*.f16")) == 0


def test_without_room_nothing_is_written(trunk: cache.Trunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "_SPARE", 1e18)
    with pytest.raises(DiskFullError, match="needs about"):
        filled(trunk, tmp_path)
    assert not list(tmp_path.glob("*.f16"))


def test_the_folder_is_named_by_what_matters_and_others_are_left_alone_unless_they_are_to_go(tmp_path: Path):
    folder = cache_of(tmp_path, MADE_OF)
    assert folder == cache_of(tmp_path, dict(reversed(MADE_OF.items())))
    others = [cache_of(tmp_path, MADE_OF | {key: "other"}) for key in MADE_OF]
    assert len({folder, *others}) == 4
    for each in (folder, *others):
        each.mkdir()
        (each / "view-0.f16").write_bytes(b"")
    remove_others(tmp_path, {folder})
    assert list(tmp_path.iterdir()) == [folder]


def test_a_network_is_told_from_one_with_another_weight_or_another_layer(front: nn.Module):
    same = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    same.load_state_dict(front.state_dict())
    assert digest_of(same) == digest_of(front)
    with torch.no_grad():
        same[0].bias[0] += 1e-6
    assert digest_of(same) != digest_of(front)
    other = nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU())
    other.load_state_dict(front.state_dict())
    assert digest_of(other) != digest_of(front)
