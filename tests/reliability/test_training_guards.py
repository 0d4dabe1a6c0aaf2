"""What a training never does: learn from no numbers, from photos that changed, or under labels that moved (T16, T17)."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from scoreboard import record, tier
from test_training_kills import draw

from drawn_shop import photo, run_python, shelf, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.errors import BundleError, CatalogError, LossError, OptionError
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import IngestOptions, NetworkOptions, TrainOptions
from shelfwise.train import train
from shelfwise.train.network.inputs.photos import Photos
from shelfwise.train.network.safety.guards import memory_told, refuse_unusable

pytestmark = pytest.mark.slow

RUNS = {"pr": 6, "release": 100}
WILD = TrainOptions(network="small-cnn", epochs=2, optimizer="sgd", learning_rate=1e6)
CALM = TrainOptions(network="small-cnn", epochs=1)
OFTEN = NetworkOptions(start="random", side="32", batch=4, checkpoint_minutes=1e-7, log="none")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("guards") / "photos", photos=4)


@pytest.fixture(scope="module")
def catalog(photos: Path) -> Path:
    ingest(FolderSource(photos), photos.with_name("shop.catalog"))
    return photos.with_name("shop.catalog")


def not_finite(folder: Path) -> list[str]:
    """Name the numbers of checkpoints that are not finite."""
    loaded = [(file.name, safetensors.numpy.load_file(file)) for file in folder.rglob("*.safetensors")]
    return [
        f"{file} {name}"
        for file, tensors in loaded
        for name, values in tensors.items()
        if not np.isfinite(values).all()
    ]


def test_a_loss_that_is_no_number_stops_within_a_step_and_no_checkpoint_ever_holds_one(catalog: Path, tmp_path: Path):
    started, wrong = time.monotonic(), []
    for seed in range(RUNS[tier()]):
        to = tmp_path / f"{seed}.bundle"
        how = NetworkOptions(start="random", side="32", batch=4, checkpoint_minutes=1e-7, log="none", seed=seed)
        told = r"loss_not_finite: .* is (nan|-?inf) in epoch \d+, step \d+, of the photos .*\.jpg"
        with pytest.raises(LossError, match=told) as said:
            train(catalog, to, WILD, how)
        named = re.findall(r"[^ ,]+\.jpg", str(said.value))
        if len(named) != 4 or to.exists():
            wrong.append(str(said.value))
        wrong += not_finite(tmp_path)
    record(
        "T17 loss not finite",
        RUNS[tier()],
        len(wrong),
        time.monotonic() - started,
        0,
        "a checkpoint with a NaN is found",
    )
    assert not wrong
    (tmp_path / "x").mkdir()
    safetensors.numpy.save_file({"w": np.array([np.nan])}, tmp_path / "x" / "bad.safetensors")
    assert not_finite(tmp_path / "x") == ["bad.safetensors w"]


def test_weights_that_overflow_stop_the_first_step(catalog: Path, tmp_path: Path):
    from shelfwise.networks.find import find_network, new_network

    state = {
        name: 1e30 * value for name, value in new_network(find_network("small-cnn"), 4, 0.0, 0).state_dict().items()
    }
    safetensors.numpy.save_file({k: v.numpy() for k, v in state.items()}, tmp_path / "poisoned.safetensors")
    how = NetworkOptions(
        start=str(tmp_path / "poisoned.safetensors"), side="32", batch=4, log="none", accept_license=True
    )
    with pytest.raises(LossError, match="in epoch 1, step 1, of the photos"):
        train(catalog, tmp_path / "x.bundle", CALM, how)
    assert not list((tmp_path / "x.bundle.training").rglob("*.safetensors"))


@pytest.mark.parametrize("finetune", [False, True])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_photo_that_changed_in_its_file_is_named_and_never_replaced(
    photos: Path, tmp_path: Path, split: str, finetune: bool
):
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    ingest(FolderSource(folder), tmp_path / "x.catalog", IngestOptions(in_place=True))
    file = sorted((folder / split).rglob("*.jpg"))[3]
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 4
    write(file, bytes(changed))
    how = NetworkOptions(start="random", side="32", batch=4, log="none", finetune=finetune, tune="2", views=1)
    name = re.escape(f"{file.relative_to(folder).as_posix()}#0")
    with pytest.raises(CatalogError, match=f"hash_mismatch: the photo {name} is not what was imported"):
        train(tmp_path / "x.catalog", tmp_path / "x.bundle", CALM, how)
    assert not (tmp_path / "x.bundle").exists()


def test_too_little_memory_is_told_with_batch_and_side(catalog: Path, tmp_path: Path):
    code = """
import resource, sys
import shelfwise.train.network.run
from shelfwise.cli.main import main
used = 4096 * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + 700 * 2**20,) * 2)
main(["train", *sys.argv[1:], "--network", "small-cnn", "--start", "random", "--side", "1024", "--batch", "16"])
"""
    done = run_python(code, catalog, "--to", tmp_path / "x.bundle", env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 2, done.stderr
    assert "error: out of memory with --batch 16 and photos of 1024 px: " in done.stderr
    assert "Traceback" not in done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, "the limit is of that process alone"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_whatever_says_that_memory_is_short_it_is_one_message_and_other_errors_stay(error: Exception):
    with pytest.raises(OptionError, match=r"--batch 8 and photos of 64 px: .* --batch, e\.g\. 4"), memory_told(8, 64):
        raise error
    with pytest.raises(RuntimeError, match="sizes differ"), memory_told(8, 64):
        raise RuntimeError("sizes differ")


def test_what_cannot_be_learned_is_told_before_anything_is_computed(photos: Path, tmp_path: Path):
    one = next(iter(KINDS))
    for split in ("train", "val"):
        shutil.copytree(photos / split / shelf(one), tmp_path / "one" / split / shelf(one))
    ingest(FolderSource(tmp_path / "one"), tmp_path / "one.catalog")
    with pytest.raises(CatalogError, match=r"there is nothing to tell apart: .* 1 categories, two are needed"):
        train(tmp_path / "one.catalog", tmp_path / "x.bundle", CALM, OFTEN)
    assert not (tmp_path / "x.bundle.training").exists()


def some(columns: list[int], catalog: Path) -> Photos:
    n = len(columns)
    return Photos(
        Catalog(catalog), np.arange(n), np.array([b""] * n, object), np.arange(n), np.array(columns, np.int32),
        np.array([str(i) for i in range(n)], object),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("learned", "held", "told"),
    [
        ([], [0, 1], "none of the products to learn from has a usable photo"),
        ([0, 1], [], "none of the products to hold the network against has a usable photo"),
        ([0, 2], [0, 1], "products to learn from have labels outside the 2 categories"),
        ([0, -1], [0, 1], "products to learn from have labels outside the 2 categories"),
        ([0, 1], [5], "products to hold the network against have labels outside the 2 categories"),
        ([1, 1, 1], [0, 1], "the products with photos are all of one category"),
    ],
)
def test_labels_out_of_range_no_photos_and_one_category_are_clear_errors(
    catalog: Path, learned: list[int], held: list[int], told: str
):
    with pytest.raises(CatalogError, match=told):
        refuse_unusable(some(learned, catalog), some(held, catalog), 2)


def test_changed_photos_are_refused_and_counted_or_accepted_and_noted(photos: Path, tmp_path: Path):
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    ingest(FolderSource(folder), tmp_path / "x.catalog")
    to, wild = (
        tmp_path / "x.bundle",
        NetworkOptions(start="random", side="32", batch=4, checkpoint_minutes=1e-7, log="none"),
    )
    stop_after(tmp_path / "x.catalog", to, 2)
    kinds = list(KINDS)
    for seed in (50, 51, 52):
        write(folder / "train" / shelf(kinds[0]) / f"new-{seed}.jpg", photo(kinds[0], seed, 48))
    sorted((folder / "train" / shelf(kinds[1])).glob("*.jpg"))[0].unlink()
    ingest(FolderSource(folder), tmp_path / "y.catalog")
    with pytest.raises(CatalogError, match=r"dataset_changed: .*\(\+3, -1 photos\): --accept-changes"):
        train(tmp_path / "y.catalog", to, CALM, wild)
    summary = train(tmp_path / "y.catalog", to, CALM, NetworkOptions(**{**vars(wild), "accept_changes": True}))
    assert "the catalog changed since the run began (+3, -1 photos), which was accepted" in summary.facts["notes"]
    assert summary.facts["network"]["resumed_at_steps"] == [2]
    assert summary.facts["photos"] == 4 * 4 + 3 - 1


def stop_after(catalog: Path, to: Path, steps: int) -> None:
    """Train until so many steps are done, in this process, and stop."""
    with pytest.MonkeyPatch.context() as patch:
        import shelfwise.train.network.loop as loop

        plain = loop.Loop._train_step

        def step(self: loop.Loop, *given: object) -> bool:
            return plain(self, *given) or self._state.steps == steps - 1

        patch.setattr(loop.Loop, "_train_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(catalog, to, CALM, OFTEN)


def sealed(folder: Path) -> Path:
    """Write the digests of a bundle's files anew, as somebody would who changes them on purpose."""
    manifest = json.loads((folder / "MANIFEST.json").read_bytes())
    told = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest}
    (folder / "MANIFEST.json").write_text(json.dumps(told, indent=1))
    return folder


def test_a_network_whose_labels_were_moved_is_refused_wherever_they_are_moved(catalog: Path, tmp_path: Path):
    started = time.monotonic()
    train(catalog, tmp_path / "x.bundle", TrainOptions(network="small-cnn", epochs=4, learning_rate=0.003), OFTEN)
    assert Bundle.load(tmp_path / "x.bundle").facts["categories"] == 4

    head = Path(shutil.copytree(tmp_path / "x.bundle", tmp_path / "head.bundle"))
    data = (head / "classifier.safetensors").read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    tensors = safetensors.numpy.load(data)
    for name in ("0.head.weight", "0.head.intercept"):
        tensors[name] = np.ascontiguousarray(np.roll(tensors[name], 1, axis=-1))
    (head / "classifier.safetensors").write_bytes(safetensors.numpy.save(tensors, metadata))
    with pytest.raises(BundleError, match="golden images are answered otherwise"):
        Bundle.load(sealed(head))

    names = Path(shutil.copytree(tmp_path / "x.bundle", tmp_path / "names.bundle"))
    told = json.loads((names / "bundle.json").read_bytes())
    told["categories"] = told["categories"][1:] + told["categories"][:1]
    (names / "bundle.json").write_text(json.dumps(told))
    with pytest.raises(BundleError):
        Bundle.load(sealed(names))

    stop_after(catalog, tmp_path / "y.bundle", 2)
    for file in (tmp_path / "y.bundle.training" / "checkpoints").glob("*.safetensors"):
        moved(file)
    with pytest.raises(OptionError, match="the categories, or their order, are others"):
        train(catalog, tmp_path / "y.bundle", CALM, OFTEN)
    record("T16 labels of a network moved", 3, 0, time.monotonic() - started, 0, "the bundle as it was written loads")


def moved(file: Path) -> None:
    """Give a checkpoint the categories in another order, and the name that fits its new content."""
    data = file.read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    state = json.loads(metadata["state"])
    state["origin"]["categories"] = hashlib.sha256(b"another order").hexdigest()
    changed = safetensors.numpy.save(safetensors.numpy.load(data), {"state": json.dumps(state)})
    file.unlink()
    digest = hashlib.sha256(changed).hexdigest()[:16]
    file.with_name(f"{file.name[:12]}-{digest}.safetensors").write_bytes(changed)


def test_the_kept_cache_serves_other_learning_rates_and_more_epochs(catalog: Path, tmp_path: Path):
    how = NetworkOptions(
        start="random", side="32", batch=4, log="none", finetune=True, tune="2", views=2, cache=str(tmp_path / "kept")
    )
    train(catalog, tmp_path / "a.bundle", CALM, how)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "kept").rglob("*.f16")}
    assert len(before) == 3, "two views and the held-out photos"
    other = train(catalog, tmp_path / "b.bundle", TrainOptions(network="small-cnn", epochs=2, learning_rate=0.01), how)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "kept").rglob("*.f16")} == before
    alone = NetworkOptions(**{**vars(how), "cache": None})
    again = train(
        catalog, tmp_path / "c.bundle", TrainOptions(network="small-cnn", epochs=2, learning_rate=0.01), alone
    )
    for one, two in zip(other.facts["network"]["curve"], again.facts["network"]["curve"], strict=True):
        assert one | {"seconds": 0} == two | {"seconds": 0}, "what lay there is what would have been computed"
    train(catalog, tmp_path / "d.bundle", CALM, NetworkOptions(**{**vars(how), "augment": "none"}))
    assert len(list((tmp_path / "kept").rglob("*.f16"))) == 5, "other changes of the photos are other activations"


def test_python_dash_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "shelfwise", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.strip()
