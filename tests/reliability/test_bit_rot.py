"""T2: a flipped bit anywhere is named by `verify`, and nothing else is."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
from scoreboard import record, tier

from drawn_shop import write
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.errors import BundleError, CatalogError
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions, IngestOptions
from shelfwise.train import train
from shelfwise.verify import verify

# Nothing that a flipped bit in them could change: locks, and Lance's hint where the newest version is.
_UNREAD = (".locks", "latest_version_hint.json")
FLIPS = {"pr": 100, "release": 1000}


def files_of(folder: Path) -> list[Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if not any(part in _UNREAD for part in path.parts)]


def flip(file: Path, rng: random.Random) -> bytes:
    """Flip one bit of a file and return what was there before."""
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    file.write_bytes(changed)
    return whole


def is_named(file: Path, root: Path) -> bool:
    """Tell whether verify names this file, or for a bundle or catalog.json the folder it makes unusable."""
    findings = verify(root).findings
    inside = file.relative_to(root).as_posix()
    return any(finding.what == inside or inside in finding.detail for finding in findings)


@pytest.mark.slow
def test_a_flipped_bit_is_named_in_every_file_and_clean_files_never_are(
    embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path
):
    started, rng = time.perf_counter(), random.Random(2)
    catalog = Path(shutil.copytree(embedded_catalog, tmp_path / "x.catalog"))
    bundle = Path(shutil.copytree(drawn_bundle, tmp_path / "x.bundle"))
    assert verify(catalog).findings == []
    assert verify(bundle).findings == []
    targets = [(file, root) for root in (catalog, bundle) for file in files_of(root) if file.stat().st_size]
    flips = FLIPS[tier()]
    chosen = (targets * (1 + flips // len(targets)))[:flips]
    missed = []
    for file, root in chosen:
        before = flip(file, rng)
        if not is_named(file, root):
            missed.append(file.relative_to(root))
        file.write_bytes(before)
    clean = verify(catalog), verify(bundle)
    assert missed == []
    assert [summary.findings for summary in clean] == [[], []]
    control = flips_that_a_reading_finds(catalog, rng)
    assert control < 20, "reading without checksums must be seen to miss flips"
    record(
        test="T2 bit rot", n=flips, failures=len(missed), seconds=time.perf_counter() - started, seed=2,
        control=f"reading every table without checksums notices {control} of 20",
    )  # fmt: skip


def flips_that_a_reading_finds(catalog: Path, rng: random.Random) -> int:
    """Control: flip bits in stored pictures and count how often merely reading and decoding them all says a word."""
    data = max((catalog / "images.lance" / "data").iterdir(), key=lambda file: file.stat().st_size)
    noticed = 0
    for _ in range(20):
        before = flip(data, rng)
        try:
            Catalog(catalog).image_bytes(range(10))
        except CatalogError:
            noticed += 1
        data.write_bytes(before)
    return noticed


def test_one_flip_in_each_kind_of_file_is_named(embedded_catalog: Path, tmp_path: Path):
    catalog = Path(shutil.copytree(embedded_catalog, tmp_path / "x.catalog"))
    kinds = {
        "catalog.json": "file_damaged",
        "checksums/images.json": "file_damaged",
        next(path for path in files_of(catalog) if "embeddings__" in str(path) and path.suffix == ".lance")
        .relative_to(catalog).as_posix(): "hash_mismatch",
        next(path for path in files_of(catalog) if path.suffix == ".manifest").relative_to(catalog).as_posix():
            "hash_mismatch",
    }  # fmt: skip
    for name, code in kinds.items():
        before = flip(catalog / name, random.Random(name))
        assert (name, code) in {(finding.what, finding.code) for finding in verify(catalog).findings}
        (catalog / name).write_bytes(before)
    assert verify(catalog).findings == []


def test_a_picture_that_changed_in_its_file_is_named_and_never_embedded(tmp_path: Path, drawn_folder: Path):
    folder = Path(shutil.copytree(drawn_folder, tmp_path / "photos"))
    ingest(FolderSource(folder), tmp_path / "x.catalog", IngestOptions(in_place=True))
    assert verify(tmp_path / "x.catalog").findings == []
    photo = next(iter(sorted(folder.rglob("*.jpg"))))
    changed = bytearray(photo.read_bytes())
    changed[len(changed) // 2] ^= 4
    write(photo, bytes(changed))
    (finding,) = verify(tmp_path / "x.catalog").findings
    assert finding.code == "hash_mismatch"
    assert finding.what == f"{photo.relative_to(folder).as_posix()}#0"
    with pytest.raises(CatalogError, match=r"hash_mismatch: photo .* is not what was imported: see  shelfwise verify"):
        embed(tmp_path / "x.catalog", EmbedOptions(backbone="lite0@96", precision="fp32"))
    photo.unlink()
    assert [finding.code for finding in verify(tmp_path / "x.catalog").findings] == ["file_unreadable"]


def test_training_refuses_vectors_that_changed(embedded_catalog: Path, tmp_path: Path):
    catalog = Path(shutil.copytree(embedded_catalog, tmp_path / "x.catalog"))
    shard = max(
        (path for path in files_of(catalog) if "embeddings__" in str(path)), key=lambda path: path.stat().st_size
    )
    flip(shard, random.Random(1))
    with pytest.raises(CatalogError, match=r"hash_mismatch: .*embeddings__.* see  shelfwise verify"):
        train(catalog, tmp_path / "x.bundle")


def test_a_bundle_with_a_flipped_bit_is_refused_by_name(drawn_bundle: Path, tmp_path: Path):
    from shelfwise.bundle import Bundle

    bundle = Path(shutil.copytree(drawn_bundle, tmp_path / "x.bundle"))
    flip(bundle / "classifier.safetensors", random.Random(3))
    assert verify(bundle).findings[0].code == "bundle_invalid"
    with pytest.raises(BundleError, match=r"classifier\.safetensors"):
        Bundle.load(bundle)
