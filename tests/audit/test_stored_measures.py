from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_shop import lay_out, photo, run_python, write
from shelfwise.audit.measures import KEY, blocks, measure_pictures
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.errors import CatalogBusyError, CatalogError
from shelfwise.images.measures import WIDTH, measure
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import IngestOptions
from shelfwise.show import show
from shelfwise.verify import verify

# Measure with small commits, and kill this process after so many photos.
KILLED = """
import os, signal, sys
from contextlib import contextmanager
import shelfwise.engines.missing as missing
from shelfwise.audit.measures import measure_pictures
from shelfwise.catalog import Catalog
missing._ROWS_PER_COMMIT = 16
class Killer:
    @contextmanager
    def task(self, label, total):
        done = 0
        def advance(n):
            nonlocal done
            done += n
            if done >= 40:
                os.kill(os.getpid(), signal.SIGKILL)
        yield advance
measure_pictures(Catalog(sys.argv[1]), 2, Killer())
"""


@pytest.fixture
def shop(drawn_catalog: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn_catalog, tmp_path / "shop.catalog")


def stored(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures in ascending order and their measures."""
    catalog = Catalog(path)
    parts = list(blocks(catalog, take_inventory(catalog)))
    pictures = np.concatenate([pictures for pictures, _ in parts])
    order = np.argsort(pictures)
    return pictures[order], np.concatenate([values for _, values in parts])[order]


def test_every_picture_is_measured_once_and_comes_back_with_its_number(shop: Path) -> None:
    catalog = Catalog(shop)
    inventory = take_inventory(catalog)
    assert list(blocks(catalog, inventory)) == []
    assert measure_pictures(catalog, 2) == inventory.pictures
    pictures, values = stored(shop)
    np.testing.assert_array_equal(pictures, np.arange(inventory.pictures))
    files = catalog.image_bytes(inventory.photo_row[inventory.first_photo])
    expected = np.stack([measure(file) for file in files]).astype(np.float16)
    np.testing.assert_array_equal(values, expected)
    assert values.dtype == np.float32 and values.shape == (inventory.pictures, WIDTH)
    assert measure_pictures(Catalog(shop), 2) == 0


def test_the_measures_do_not_disturb_what_else_reads_the_catalog(shop: Path) -> None:
    before = show(shop)
    measure_pictures(Catalog(shop), 2)
    assert verify(shop).findings == []
    assert replace(show(shop), size_bytes=before.size_bytes) == before
    assert Catalog(shop).description.embedded == ()


def test_killed_and_started_again_it_goes_on_and_ends_with_the_same_measures(shop: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(shop, tmp_path / "whole.catalog")
    measure_pictures(Catalog(whole), 2)
    assert run_python(KILLED, shop).returncode == -signal.SIGKILL
    there = len(Catalog(shop).embedded_pictures(KEY))
    assert 16 <= there <= 40
    assert measure_pictures(Catalog(shop), 1) == take_inventory(Catalog(shop)).pictures - there
    for part, expected in zip(stored(shop), stored(whole), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_a_picture_that_several_photos_show_is_measured_once_and_one_that_is_gone_is_passed_over(
    tmp_path: Path,
) -> None:
    for name in ("a/one.jpg", "a/two.jpg", "b/three.jpg"):
        write(tmp_path / "photos" / name, photo("mug", 1))
    write(tmp_path / "photos/b/four.jpg", photo("mug", 2))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "few.catalog")
    catalog = Catalog(tmp_path / "few.catalog")
    assert measure_pictures(catalog) == 2
    write(tmp_path / "others/c/five.jpg", photo("plate", 1))
    ingest(FolderSource(tmp_path / "others"), tmp_path / "other.catalog")
    others = take_inventory(Catalog(tmp_path / "other.catalog"))
    kept = [pictures for pictures, _ in blocks(catalog, take_inventory(catalog))]
    assert sorted(np.concatenate(kept)) == [0, 1]
    other = Catalog(tmp_path / "other.catalog")
    other.append_embeddings(KEY, [os.urandom(32)], np.zeros((1, WIDTH), np.float16))
    assert [len(pictures) for pictures, _ in blocks(other, others)] == [0]


def test_a_photo_that_is_gone_or_changed_in_its_place_ends_the_run_with_its_name(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "photos", "a/one.jpg", "a/two.jpg")
    ingest(FolderSource(root), tmp_path / "place.catalog", IngestOptions(in_place=True))
    other = lay_out(tmp_path / "others", "x/0.jpg", "x/1.jpg", "x/2.jpg") / "x/2.jpg"
    shutil.copy(other, root / "a/two.jpg")
    with pytest.raises(CatalogError, match=r"hash_mismatch: photo a/two\.jpg#0 is not what was imported"):
        measure_pictures(Catalog(tmp_path / "place.catalog"), 1)
    (root / "a/two.jpg").unlink()
    with pytest.raises(CatalogError, match=r"two\.jpg cannot be read any more"):
        measure_pictures(Catalog(tmp_path / "place.catalog"), 1)


def test_two_runs_do_not_measure_one_catalog_at_a_time(shop: Path) -> None:
    with Catalog(shop).embedding_writer(KEY), pytest.raises(CatalogBusyError):
        measure_pictures(Catalog(shop), 1)
