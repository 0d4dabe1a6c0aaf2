"""What verify says of whole, incomplete and foreign folders, and the exit code that scripts see."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from drawn_shop import shelfwise, write
from shelfwise.errors import OptionError
from shelfwise.verify import verify


def test_a_whole_catalog_and_a_whole_bundle_are_as_written(embedded_catalog: Path, drawn_bundle: Path):
    catalog, bundle = verify(embedded_catalog), verify(drawn_bundle)
    assert catalog.findings == bundle.findings == []
    assert catalog.pictures > 0
    assert catalog.files > 10 < 10 + bundle.files


def test_a_file_that_is_gone_is_named_and_one_that_was_left_over_is_counted(drawn_catalog: Path, tmp_path: Path):
    catalog = Path(shutil.copytree(drawn_catalog, tmp_path / "x.catalog"))
    write(catalog / "images.lance" / "data" / "half.lance", b"half")
    assert verify(catalog).findings == []
    assert verify(catalog).leftovers == 1
    data = max((catalog / "products.lance" / "data").iterdir())
    data.unlink()
    (finding,) = verify(catalog).findings
    assert (finding.what, finding.code) == (f"products.lance/data/{data.name}", "file_missing")


def test_a_table_that_is_gone_is_named(drawn_catalog: Path, tmp_path: Path):
    catalog = Path(shutil.copytree(drawn_catalog, tmp_path / "x.catalog"))
    shutil.rmtree(catalog / "images.lance")
    assert "images.lance" in {finding.what for finding in verify(catalog).findings}


def test_what_is_neither_catalog_nor_bundle_is_an_error(tmp_path: Path):
    with pytest.raises(OptionError, match="is neither a catalog nor a bundle"):
        verify(tmp_path)


def test_the_exit_code_tells_scripts(drawn_catalog: Path, tmp_path: Path):
    catalog = Path(shutil.copytree(drawn_catalog, tmp_path / "x.catalog"))
    sound = shelfwise("verify", catalog)
    assert (sound.returncode, "all as written" in sound.stdout) == (0, True)
    (catalog / "catalog.json").write_bytes((catalog / "catalog.json").read_bytes().replace(b"folder", b"foldef"))
    damaged = shelfwise("verify", catalog, "--json")
    assert damaged.returncode == 1
    assert [finding["what"] for finding in json.loads(damaged.stdout)["findings"]] == ["catalog.json"]
    assert shelfwise("verify", tmp_path).returncode == 2
