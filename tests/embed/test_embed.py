from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import SMALL
from drawn_shop import photo, run_python, write
from shelfwise.backbones import Extractor, parse_specs
from shelfwise.catalog import Catalog, changing
from shelfwise.embed import embed
from shelfwise.errors import BackboneError, CatalogError, OptionError
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions
from shelfwise.progress import SILENT

KEY = "lite0-96-fp32"
# Embed with small commits; kill this process after so many photos (0: never).
JOB = """
import os, signal, sys
from contextlib import contextmanager
import shelfwise.embed.run as run
import shelfwise.engines.missing as missing
from shelfwise.options import EmbedOptions
missing._ROWS_PER_COMMIT = 16
class Killer:
    @contextmanager
    def task(self, label, total):
        done = 0
        def advance(n):
            nonlocal done
            done += n
            if done >= int(sys.argv[2]) > 0:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance
run.embed(sys.argv[1], EmbedOptions(backbone="lite0@96", precision="fp32"), progress=Killer())
"""


def vectors(catalog: Path, key: str = KEY) -> dict[str, bytes]:
    """The vectors that a catalog holds, by the ids of the images that show their pictures."""
    opened = Catalog(catalog)
    pictures = opened.embedded_pictures(key).to_pylist()
    assert len(pictures) == len(set(pictures)), "a picture was computed twice"
    rows = opened.embedding_rows(key, np.arange(len(pictures))) if pictures else []
    stored = {picture: row.tobytes() for picture, row in zip(pictures, rows, strict=True)}
    images = opened.images(["image_id", "sha256", "status"]).to_pylist()
    return {
        row["image_id"]: stored[row["sha256"]] for row in images if row["sha256"] in stored and row["status"] == "ok"
    }


@pytest.fixture
def bare(drawn_catalog: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn_catalog, tmp_path / "shop.catalog")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Twelve photos: two of them the same bytes, one broken, one with the bytes of another under other products."""
    root = tmp_path / "few"
    for number in range(8):
        write(root / "mug" / f"{number}.jpg", photo("mug", number))
    write(root / "mug" / "again.jpg", photo("mug", 3))
    write(root / "boot" / "mistaken.jpg", photo("mug", 3))
    write(root / "boot" / "1.jpg", photo("boot", 1))
    write(root / "boot" / "broken.jpg", photo("boot", 2)[:300])
    ingest(FolderSource(root), tmp_path / "few.catalog")
    return tmp_path / "few.catalog"


def test_every_photo_gets_the_vector_that_its_backbone_gives_for_it(embedded_catalog: Path, drawn_folder: Path):
    stored = vectors(embedded_catalog)
    assert len(stored) == 180
    name = "train/Home/Kitchen/Mug/mug-003.jpg"
    alone = Extractor(parse_specs("lite0@96")[0]).vectors_of([(drawn_folder / name).read_bytes()])[0]
    found = np.frombuffer(stored[f"{name}#0"], np.float16)
    np.testing.assert_allclose(found, alone, rtol=2e-3, atol=1e-4)
    other = np.frombuffer(stored["train/Home/Kitchen/Mug/mug-004.jpg#0"], np.float16)
    assert np.abs(found - other).max() > 0.1


def test_a_second_run_computes_nothing(few: Path):
    first, second = embed(few, SMALL).backbones[0], embed(few, SMALL).backbones[0]
    assert (first.computed, first.same_picture, first.already_there) == (9, 2, 0)
    assert (second.computed, second.same_picture, second.already_there) == (0, 0, 11)
    assert second.photos_per_s is None
    assert Catalog(few).versions[f"embeddings__{KEY}"] == 1
    assert len(Catalog(few).description.embedded) == 1


def test_the_same_picture_is_computed_once_and_kept_under_every_id(few: Path):
    embed(few, SMALL)
    stored = vectors(few)
    assert stored["mug/3.jpg#0"] == stored["mug/again.jpg#0"] == stored["boot/mistaken.jpg#0"]
    assert len(set(stored.values())) == 9


def test_quarantined_photos_are_skipped(few: Path):
    assert embed(few, SMALL).images == 11
    assert "boot/broken.jpg#0" not in vectors(few)


def test_one_thread_and_two_give_the_same_bits(bare: Path, tmp_path: Path):
    other = shutil.copytree(bare, tmp_path / "other.catalog")
    embed(bare, EmbedOptions(backbone="lite0@96", precision="fp32", threads=1))
    embed(other, EmbedOptions(backbone="lite0@96", precision="fp32", threads=2))
    assert vectors(bare) == vectors(other)


@pytest.mark.parametrize("after", [1, 40, 100, 179])
def test_killed_and_started_again_it_ends_with_the_same_bits_and_computes_no_photo_twice(
    bare: Path, embedded_catalog: Path, after: int
):
    assert run_python(JOB, bare, after).returncode == -signal.SIGKILL
    there = len(vectors(bare))
    assert 180 > there >= (after - 1) // 16 * 16 - 16
    rest = embed(bare, SMALL).backbones[0]
    assert (rest.already_there, rest.computed) == (there, 180 - there)
    assert vectors(bare) == vectors(embedded_catalog)


@pytest.mark.slow
def test_ten_kills_at_any_moment_cost_nothing_but_time(bare: Path, embedded_catalog: Path):
    moment, seen = random.Random(4), set()
    for _ in range(10):
        child = subprocess.Popen([sys.executable, "-c", JOB, bare, "0"])
        before = len(vectors(bare))
        while child.poll() is None and len(vectors(bare)) == before:
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 0.1))
        child.kill()
        child.wait()
        seen.add(len(vectors(bare)))
    assert len(seen) > 2, seen
    embed(bare, SMALL)
    assert vectors(bare) == vectors(embedded_catalog)


def test_photos_that_came_later_are_all_that_is_computed(few: Path):
    embed(few, SMALL)
    before = vectors(few)
    late = photo("plate", 1)
    row = {"image_id": "late#0", "product_id": "late", "position": 0, "bytes": late, "status": "ok"}
    with changing(few, "add") as change:
        change.append_images([row | {"sha256": hashlib.sha256(late).digest()}])
    again = embed(few, SMALL).backbones[0]
    assert (again.computed, again.already_there) == (1, 11)
    assert {key: value for key, value in vectors(few).items() if key != "late#0"} == before


def test_several_backbones_stand_side_by_side_and_the_last_set_is_recorded_last(few: Path):
    summary = embed(few, EmbedOptions(backbone="lite0@96+lite0@64:1", precision="fp32"))
    assert [row.backbone for row in summary.backbones] == ["lite0@96", "lite0@64:1"]
    assert [row.dimension for row in summary.backbones] == [1280, 1280 + 320]
    assert np.frombuffer(vectors(few, "lite0-64-s1-fp32")["mug/1.jpg#0"], np.float16).shape == (1600,)
    embed(few, SMALL)
    recorded = Catalog(few).description.embedded
    assert [[(spec["card"]["name"], spec["side_px"]) for spec in specs] for specs in recorded] == [
        [("lite0", 96), ("lite0", 64)], [("lite0", 96)],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "error", "said"),
    [
        ("litte0", OptionError, "no backbone is called 'litte0': did you mean 'lite0'"),
        ("resnet50", OptionError, "known: "),
        ("lite0@9", OptionError, "out of range"),
        ("lite0@96:9", OptionError, "offers"),
        ("lite0@96+lite0@96", OptionError, "named twice"),
        ("", OptionError, "names no backbone"),
        ("my/own.onnx", BackboneError, "needs a card beside it"),
    ],
)
def test_a_wrong_backbone_is_told_with_the_nearest_and_nothing_is_written(
    few: Path, backbone: str, error: type[Exception], said: str
):
    before = Catalog(few).versions
    with pytest.raises(error) as refused:
        embed(few, EmbedOptions(backbone=backbone))
    assert said in str(refused.value)
    assert Catalog(few).versions == before


def test_a_folder_that_is_no_catalog_and_a_negative_number_of_threads_are_refused(tmp_path: Path):
    with pytest.raises(CatalogError, match="is not a catalog"):
        embed(tmp_path, SMALL)
    with pytest.raises(OptionError, match="--threads -1"):
        EmbedOptions(threads=-1)


def test_an_interrupted_run_records_no_set_so_that_train_takes_none_that_is_not_whole(bare: Path):
    assert run_python(JOB, bare, 60).returncode == -signal.SIGKILL
    assert Catalog(bare).description.embedded == ()
    embed(bare, SMALL, progress=SILENT)
    assert len(Catalog(bare).description.embedded) == 1
