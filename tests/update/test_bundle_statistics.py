"""What a bundle keeps for changes: read when it is asked for, checked then, and left where it is otherwise."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_shop import run_python
from shelfwise.bundle import Bundle
from shelfwise.bundle.learned_files import learned_to_files
from shelfwise.errors import BundleError, OptionError
from shelfwise.statistics.solve import System
from shelfwise.verify import verify

KEPT = ("learned.parquet", "statistics.safetensors")


@pytest.fixture
def folder(drawn_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn_bundle, tmp_path / "shop.bundle")


def zipped(folder: Path) -> Path:
    Bundle.load(folder).save(folder.with_name("shop.bundle.zip"))
    return folder.with_name("shop.bundle.zip")


def flipped(file: Path, place: float = 0.5) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 4
    file.write_bytes(data)


def test_the_head_of_a_bundle_is_the_solution_of_what_it_keeps(drawn_bundle: Path):
    bundle = Bundle.load(drawn_bundle)
    learned = bundle.learned()
    head = System.of(learned.statistics, learned.penalty).head(learned.statistics.sums, learned.statistics.counts)
    np.testing.assert_allclose(bundle.classifier.members[0].model.head.weight, head.weight, atol=1e-7)
    assert learned.penalty == bundle.facts["members"][0]["penalty"]
    assert len(learned) == bundle.facts["products"] == learned.statistics.weight


def test_a_folder_and_a_zip_keep_the_same(folder: Path):
    one, other = Bundle.load(folder).learned(), Bundle.load(zipped(folder)).learned()
    assert one.statistics.gram.tobytes() == other.statistics.gram.tobytes()
    assert one.product_ids.tolist() == other.product_ids.tolist()


def test_answering_never_reads_what_is_kept(folder: Path):
    code = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from shelfwise.bundle import Bundle
Bundle.load(sys.argv[1])
print(sorted(Path(name).name for name in opened if "shop.bundle" in name and ("learned" in name or "statistics" in name)))
print("scipy" in sys.modules)
"""
    done = run_python(code, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "False"]


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_flipped_bit_is_told_when_it_is_read_and_by_verify(folder: Path, name: str, place: float):
    flipped(folder / name, place)
    with pytest.raises(BundleError, match=f"{name}: sha256 differs"):
        Bundle.load(folder).learned()
    (finding,) = verify(folder).findings
    assert name in finding.detail
    with pytest.raises(BundleError, match="sha256 differs"):
        Bundle.load(folder).save(folder.with_name("again.bundle"))


def test_a_flipped_bit_in_a_zip_is_told(folder: Path):
    file = zipped(folder)
    flipped(file, 0.6)  # the sums are nearly all of the file
    with pytest.raises(BundleError, match=r"statistics.safetensors: cannot be read"):
        Bundle.load(file).learned()


@pytest.mark.parametrize("name", KEPT)
def test_a_file_that_is_missing_is_told_when_the_bundle_is_loaded(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: is missing"):
        Bundle.load(folder)


def test_a_bundle_without_both_is_sound_and_says_what_it_cannot(folder: Path):
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    for name in KEPT:
        (folder / name).unlink()
        del manifest[name]
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(OptionError, match="keeps no sums"):
        Bundle.load(folder).learned()
    assert verify(folder).findings == []


def test_sums_of_another_bundle_are_refused(folder: Path):
    bundle = Bundle.load(folder)
    other = learned_to_files(bundle.learned(), bundle.categories[::-1])
    for name in KEPT:
        (folder / name).write_bytes(other[name])
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest |= {name: hashlib.sha256(other[name]).hexdigest() for name in KEPT}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="for other categories"):
        Bundle.load(folder).learned()


def test_a_bundle_takes_the_place_of_the_one_it_came_from_in_one_step(folder: Path):
    """A reader beside it finds one of the two, always whole; nothing is left beside them."""
    for path in (folder, zipped(folder)):
        bundle = Bundle.load(path)
        changed = replace(bundle, facts=bundle.facts | {"changed": True})
        identity = changed.save(path, replaces=bundle.id)
        assert identity != bundle.id
        assert Bundle.load(path).id == identity
        with pytest.raises(OptionError, match="changed meanwhile"):
            changed.save(path, replaces=bundle.id)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["shop.bundle", "shop.bundle.zip"]


@pytest.mark.slow
def test_a_killed_change_leaves_the_old_bundle_or_the_new_one(folder: Path):
    """Kill it again and again, at moments drawn over its whole time."""
    before = Bundle.load(folder)
    code = """
import sys
from dataclasses import replace
from shelfwise.bundle import Bundle
bundle = Bundle.load(sys.argv[1])
print("loaded", flush=True)
replace(bundle, facts=bundle.facts | {"changed": True}).save(sys.argv[1], replaces=bundle.id)
"""
    for wait_s in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2):
        with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait_s)
            process.kill()
        found = Bundle.load(folder)
        assert found.facts in (before.facts, before.facts | {"changed": True})
        assert len(found.learned()) == len(before.learned())
