"""Trainings that are killed, stopped or find a damaged checkpoint end as if nothing had happened (T5)."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import training_jobs
from forked import Done, Jobs
from scoreboard import record, tier
from system_calls import why_not
from training_jobs import curve_of

from drawn_shop import photo, shelf, write
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]

SEED = 5
EPOCHS, STEPS = 3, 6  # of 24 photos, 4 a step
USER_ERROR, STOPPED = 2, 130
HOW = (
    "--network", "small-cnn", "--start", "random", "--side", "32", "--epochs", EPOCHS, "--batch", 4, "--dropout", "0.3",
    "--ema", "0.9", "--mixup", "0.2",
)  # fmt: skip
FINETUNE = ("--finetune", "--tune", "2", "--views")
KINDS_OF_RUN = {"plain": (), "finetune": (*FINETUNE, "2"), "many views": (*FINETUNE, "60")}
TWO = ("plain", "finetune")
OFTEN, EVERY_STEP = ("--checkpoint-minutes", "0.0004"), ("--checkpoint-minutes", "0.0000001")
SAME = ("network.safetensors", "classifier.safetensors", "held_out.parquet", "golden.safetensors", "backbones/x.onnx")


@dataclass(frozen=True)
class Shop:
    """Where a test trains."""

    jobs: Jobs
    folder: Path
    catalog: Path

    def train(
        self, kind: str, *more: object, variant: tuple[object, ...] = (), to: Path | None = None, **how: object
    ) -> Done:
        command = ("cli", "train", self.catalog, "--to", to or self.bundle, *HOW, *KINDS_OF_RUN[kind], *more)
        name, *rest = (*variant, *command)
        return self.jobs.run(str(name), *rest, **how)

    @property
    def bundle(self) -> Path:
        return self.folder / "x.bundle"

    @property
    def state(self) -> Path:
        return self.folder / "x.bundle.training"


def draw(folder: Path, photos: int = 6) -> Path:
    for split, (count, first) in {"train": (photos, 0), "val": (2, 100)}.items():
        for kind in list(KINDS)[:4]:
            for number in range(first, first + count):
                write(folder / split / shelf(kind) / f"{kind}-{number:03}.jpg", photo(kind, number, 48))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trainings")
    ingest(FolderSource(draw(place / "photos")), place / "shop.catalog")
    return place


@pytest.fixture(scope="module")
def jobs(place: Path) -> Iterator[Jobs]:
    with Jobs(place, program=training_jobs.__file__) as jobs:
        yield jobs


@pytest.fixture
def shop(jobs: Jobs, place: Path, tmp_path: Path) -> Shop:
    return Shop(jobs, tmp_path, place / "shop.catalog")


def result(bundle: Path) -> dict[str, object]:
    """What must not depend on kills: weights, classifier, answers, graph, and the curve without seconds."""
    files = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in SAME}
    return files | {"curve": curve_of(str(bundle))}


def facts(bundle: Path) -> dict:
    return json.loads((bundle / "bundle.json").read_bytes())["facts"]


@pytest.fixture(scope="module")
def whole(jobs: Jobs, place: Path) -> dict[str, dict[str, object]]:
    """What the runs come to that nobody stops."""
    told = {}
    for kind in TWO:
        shop = Shop(jobs, place / kind, place / "shop.catalog")
        done = shop.train(kind)
        assert done.code == 0, done.said
        assert not shop.state.exists()
        told[kind] = result(shop.bundle)
    return told


def moment(chance: random.Random, in_save: bool) -> tuple[tuple[str, ...], dict[str, object], tuple[str, ...]]:
    """Choose a moment: before a call of a save, or so many moments after a step began."""
    if in_save:
        return (), {"kill_at": chance.randrange(20, 100)}, EVERY_STEP
    step, wait_s = chance.randrange(2, EPOCHS * STEPS - 1), chance.uniform(0, 0.02)
    return ("killed_in_step", str(step), str(wait_s)), {}, OFTEN


@pytest.mark.parametrize("kind", TWO)
def test_a_training_that_is_killed_at_any_moment_ends_with_the_same_bits(
    shop: Shop, whole: dict[str, dict[str, object]], kind: str
):
    started, chance = time.monotonic(), random.Random(f"{SEED} {kind}")
    chains = [[n % 2 == 0] for n in range(15)]
    if tier() == "pr":
        chains = [[True, False, True] if kind == "plain" else [True, False]]
    wrong, resumed, killed = [], [], 0
    for number, chain in enumerate(chains):
        to = shop.folder / str(number) / "x.bundle"
        for in_save in chain:
            variant, how, often = moment(chance, in_save)
            if in_save:
                how = how | {"within": to.with_name("x.bundle.training") / "checkpoints"}
            done = shop.train(kind, *often, variant=variant, to=to, **how)
            if done.code != -signal.SIGKILL:
                wrong.append(f"{variant} {how}: it was to be killed and ended with {done.code}: {done.said}")
            killed += 1
        done = shop.train(kind, to=to)
        if done.code:
            wrong.append(f"{variant} {how}: typed again it ends with {done.code}: {done.said}")
            continue
        resumed += facts(to)["network"]["resumed_at_steps"]
        differing = [name for name, value in result(to).items() if value != whole[kind][name]]
        if differing or to.with_name("x.bundle.training").exists():
            wrong.append(f"{variant} {how}: {differing} differ")
    control = "dropout that goes on from what was drawn before"
    record(f"T5 kills: {kind}", killed, len(wrong), time.monotonic() - started, SEED, control)
    assert not wrong, "\n".join(wrong)
    assert sum(step > 0 for step in resumed) >= killed * 25 // 30, f"gone on from the steps {resumed}"


def test_the_kills_catch_a_run_that_draws_from_where_the_last_draw_ended(shop: Shop):
    broken = ("from_what_was_drawn_before",)
    assert shop.train("plain", variant=broken, to=shop.folder / "whole" / "x.bundle").code == 0
    killed = shop.train("plain", *EVERY_STEP, variant=("killed_in_step", "9", "0", *broken))
    assert killed.code == -signal.SIGKILL
    assert shop.train("plain", variant=broken).code == 0
    assert facts(shop.bundle)["network"]["resumed_at_steps"][0] in (8, 9, 10)
    assert result(shop.bundle) != result(shop.folder / "whole" / "x.bundle")


def test_asked_to_stop_it_writes_where_it_is_and_ends_soon(shop: Shop, whole: dict[str, dict[str, object]]):
    done = shop.train("plain", variant=("stopped_in_step", "3"))
    assert done.code == STOPPED, done.said
    assert done.seconds < 30
    assert done.said.splitlines()[-1].startswith("stopped: the same command goes on where it was")
    again = shop.train("plain")
    assert "going on from epoch 2, step 5" in again.said
    assert facts(shop.bundle)["network"]["resumed_at_steps"] == [STEPS + 4]
    assert result(shop.bundle) == whole["plain"]


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(shop: Shop, whole: dict[str, dict[str, object]]):
    assert shop.train("plain", *EVERY_STEP, variant=("killed_in_step", "10", "0")).code == -signal.SIGKILL
    before, last = sorted((shop.state / "checkpoints").glob("*.safetensors"))
    data = bytearray(last.read_bytes())
    data[-100] ^= 1
    last.write_bytes(data)
    done = shop.train("plain")
    assert f"the checkpoint {last} is damaged: going on from the one before" in " ".join(done.said.split())
    assert any("is damaged" in note for note in facts(shop.bundle)["notes"])
    assert facts(shop.bundle)["network"]["resumed_at_steps"] == [int(before.name.partition("-")[0])]
    assert result(shop.bundle) == whole["plain"]


def test_where_every_checkpoint_is_damaged_it_says_so_and_does_nothing(shop: Shop):
    assert shop.train("plain", *EVERY_STEP, variant=("killed_in_step", "10", "0")).code == -signal.SIGKILL
    for file in (shop.state / "checkpoints").glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    done = shop.train("plain")
    assert done.code == USER_ERROR
    assert "every checkpoint in" in done.said
    assert not shop.bundle.exists()


def test_activations_that_a_kill_left_half_are_gone_on_with_to_the_same_bits(
    shop: Shop, whole: dict[str, dict[str, object]]
):
    cache = shop.state / "cache"
    killed = shop.train("finetune", within=cache, kill_at=6)
    assert killed.code == -signal.SIGKILL, killed.said
    assert list(cache.rglob("view-*.f16"))
    assert shop.train("finetune").code == 0
    assert result(shop.bundle) == whole["finetune"]
