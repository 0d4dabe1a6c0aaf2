"""Bundles that were tampered with. Source of the 40 cases: reliability plan, section 5.4; numbers in brackets are theirs."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import shutil
import socket
import stat
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import TensorProto, helper

from drawn_shop import photo
from shelfwise.backbones import FeatureLayout
from shelfwise.backbones.cards import BackboneCard, BackboneSpec
from shelfwise.bundle import Bundle
from shelfwise.bundle.members import KEPT
from shelfwise.classifiers.calibration import Calibration
from shelfwise.classifiers.classifier import Classifier
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.columns import Columns
from shelfwise.errors import BundleError, OptionError
from shelfwise.taxonomy import Node, Taxonomy

HEAD = "classifier.safetensors"


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "code was run")


@pytest.fixture
def folder(drawn_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(drawn_bundle, tmp_path / "shop.bundle")


def sealed(folder: Path) -> Path:
    """Compute the manifest anew, as who owns the file can."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.json"]
    digests = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (folder / "MANIFEST.json").write_text(json.dumps(digests))
    return folder


def zipped(folder: Path, **more: bytes) -> Path:
    file = folder.with_name("shop.bundle.zip")
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
        for name, data in more.items():
            archive.writestr(name, data)
    return file


def refused(path: Path, *said: str) -> str:
    started = time.perf_counter()
    with pytest.raises(BundleError) as error:
        Bundle.load(path)
    message = str(error.value)
    assert message.startswith("bundle_invalid: ")
    for words in said:
        assert words in message
    assert time.perf_counter() - started < 10
    return message


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change bundle.json."""
    values = json.loads((folder / "bundle.json").read_text())
    change(values)
    (folder / "bundle.json").write_text(json.dumps(values))


# ---- what holds for a sound bundle


def test_a_folder_and_a_zip_give_back_what_was_saved(drawn_bundle: Path, tmp_path: Path):
    first = Bundle.load(drawn_bundle)
    first.save(tmp_path / "again.bundle.zip")
    again = Bundle.load(tmp_path / "again.bundle.zip")
    assert again.id == first.id
    assert len(first.id) == 16
    assert again.categories == first.categories
    assert again.taxonomy == first.taxonomy
    assert again.layout == first.layout
    assert again.facts == first.facts
    for name, tensor in first.classifier.stored()[1].items():
        assert again.classifier.stored()[1][name].tobytes() == tensor.tobytes()
    assert again.golden == first.golden
    pictures = [photo("mug", 200), photo("boot", 201)]
    features = first.features_of(pictures)
    assert again.features_of(pictures).tobytes() == features.tobytes()
    assert again.probabilities(features).tobytes() == first.probabilities(features).tobytes()
    assert again.left_out().top.tolist() == first.left_out().top.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.bundle.zip"]


def test_two_zips_of_one_bundle_are_the_same_file(drawn_bundle: Path, tmp_path: Path):
    bundle = Bundle.load(drawn_bundle)
    bundle.save(tmp_path / "a.zip")
    bundle.save(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_every_file_has_its_digest_in_the_manifest(drawn_bundle: Path):
    manifest = json.loads((drawn_bundle / "MANIFEST.json").read_text())
    files = {path.relative_to(drawn_bundle).as_posix(): path for path in drawn_bundle.rglob("*") if path.is_file()}
    del files["MANIFEST.json"]
    assert manifest == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert sum(name.startswith("golden/") for name in files) == 16


def test_probabilities_sum_to_one_and_follow_the_formula(drawn_bundle: Path):
    bundle = Bundle.load(drawn_bundle)
    x = bundle.features_of([photo("plate", 203)])
    (member,) = bundle.classifier.members
    scores = (x.astype(np.float64) @ member.model.head.weight + member.model.head.intercept) / member.model.temperature
    by_hand = scores - np.log(np.exp(scores).sum())
    np.testing.assert_allclose(member.log_probabilities(x, np.array([0]), 1), by_hand, atol=1e-4)
    np.testing.assert_allclose(bundle.probabilities(x).sum(), 1, atol=1e-5)
    assert bundle.categories[int(bundle.probabilities(x).argmax())] == "Home/Kitchen/Plate"


@pytest.mark.parametrize("name", ["shop.bundle", "shop.bundle.zip"])
def test_a_path_that_exists_is_refused_and_left_alone(drawn_bundle: Path, tmp_path: Path, name: str):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OptionError, match="exists already"):
        Bundle.load(drawn_bundle).save(tmp_path / name)
    assert (tmp_path / name).read_text() == "mine"


def test_loading_needs_no_network_and_writes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def no_network(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.chdir(folder.parent)
    before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    Bundle.load(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def test_a_bundle_is_shown_to_work_when_it_is_sealed_anew_without_a_change(folder: Path):
    """The control of all that follows: it is the tampering that is refused."""
    assert Bundle.load(sealed(folder)).categories == Bundle.load(zipped(folder)).categories
    edit(folder, lambda values: values.update())
    Bundle.load(sealed(folder))


# ---- integrity: changed without the manifest


def test_three_hundred_single_flipped_bits_are_all_refused(folder: Path):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in KEPT)
    dice = random.Random(1)
    sizes = [path.stat().st_size for path in files]
    hit = set()
    for _ in range(300):
        path = dice.choices(files, sizes)[0] if dice.random() < 0.8 else dice.choice(files)
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        refused(folder)
        path.write_bytes(whole)
        hit.add(path.name)
    assert {"MANIFEST.json", "bundle.json", HEAD} <= hit
    Bundle.load(folder)


def test_a_flipped_bit_in_a_zip_is_refused_or_changes_nothing_that_is_read(folder: Path):
    file, dice = zipped(folder), random.Random(2)
    whole, identity = file.read_bytes(), Bundle.load(file).id
    directory = whole.rindex(b"PK\x01\x02") - 3000
    for number in range(150):
        flipped = bytearray(whole)
        flipped[dice.randrange(directory if number % 2 else 0, len(whole))] ^= 1 << dice.randrange(8)
        file.write_bytes(flipped)
        with suppress(BundleError):
            assert Bundle.load(file).id == identity  # a date, say


@pytest.mark.parametrize(
    "file",
    ["bundle.json", HEAD, "golden.safetensors", "left_out.parquet", "held_out.parquet", "golden/03", "MANIFEST.json"],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "one byte more"])
def test_a_file_that_is_missing_or_of_another_length_is_named(folder: Path, file: str, damage: str):
    data = (folder / file).read_bytes()
    (folder / file).unlink()
    if damage != "missing":
        changed = {"empty": b"", "cut": data[: len(data) // 2], "one byte more": data + b"x"}[damage]
        (folder / file).write_bytes(changed)
    refused(folder, file)


def test_a_wrong_digest_is_named(folder: Path):
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    (folder / "MANIFEST.json").write_text(json.dumps(manifest | {HEAD: "0" * 64}))
    refused(folder, HEAD, "sha256 differs")
    for wrong in (b"[]", b"{", b"\xff", b"[" * 99999, json.dumps(dict.fromkeys(manifest, 7)).encode()):
        (folder / "MANIFEST.json").write_bytes(wrong)
        refused(folder)


def test_what_is_no_bundle_at_all_is_told(tmp_path: Path):
    refused(tmp_path / "nowhere.bundle", "does not exist", "shelfwise train")
    (tmp_path / "text.zip").write_text("no zip")
    refused(tmp_path / "text.zip", "neither a bundle folder nor a .zip")
    (tmp_path / "empty.zip").write_bytes(b"")
    refused(tmp_path / "empty.zip")
    with zipfile.ZipFile(tmp_path / "bare.zip", "w"):
        pass
    refused(tmp_path / "bare.zip", "is missing")
    (tmp_path / "bare").mkdir()
    refused(tmp_path / "bare", "is missing")


# ---- an attacker who computes the manifest anew


def raw(header: dict[str, Any] | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    """Write a safetensors file byte by byte."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HUGE = {f"t{number}": tensor([1], 4 * number, 4 * number + 4) for number in range(100_000)}
STRUCTURES = {
    "empty [1]": b"",
    "header length 2^63 [5]": raw(b"{}", length=2**63),
    "header of 100 MB and one byte [6]": raw(b"{}", length=100 * 2**20 + 1),
    "header is no JSON [7]": raw(b"weights!"),
    "header is no UTF-8 [8]": raw(b'{"\xff": 1}'),
    "unknown dtype [9]": raw({"weight": tensor([1], 0, 4, "F33")}, bytes(4)),
    "a dtype that numpy lacks [9]": raw({"weight": tensor([2], 0, 4, "BF16")}, bytes(4)),
    "a hole in the data [10]": raw({"weight": tensor([1], 0, 4), "intercept": tensor([1], 8, 12)}, bytes(12)),
    "a shape larger than the data [11]": raw({"weight": tensor([1280, 12], 0, 4)}, bytes(4)),
    "a negative shape [12]": raw({"weight": tensor([-1], 0, 4)}, bytes(4)),
    "a shape that overflows [13]": raw({"weight": tensor([2**40, 2**40], 0, 4)}, bytes(4)),
    "an offset past the end [14]": raw({"weight": tensor([1], 4, 8)}, bytes(4)),
    "offsets reversed [15]": raw({"weight": tensor([1], 4, 0)}, bytes(4)),
    "tensors that overlap [16]": raw({"weight": tensor([2], 0, 8), "intercept": tensor([2], 4, 12)}, bytes(12)),
    "a tensor twice [17]": raw(
        b'{"weight": %b, "weight": %b}' % ((json.dumps(tensor([1], 0, 4)).encode(),) * 2), bytes(4)
    ),
    "100,000 tensors [18]": raw(HUGE, bytes(400_000)),
    "a number array with objects [39]": np.array([{}], dtype=object).dumps(),
}


@pytest.mark.parametrize("file", [HEAD, "golden.safetensors"])
@pytest.mark.parametrize("name", STRUCTURES)
def test_weights_that_are_no_sound_file_are_refused_by_name(folder: Path, name: str, file: str):
    (folder / file).write_bytes(STRUCTURES[name])
    refused(sealed(folder), file)


WEIGHT, INTERCEPT = "0.head.weight", "0.head.intercept"


def weights_of(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    data = (folder / HEAD).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return safetensors.numpy.load(data), header["__metadata__"]


def larger(head: dict[str, np.ndarray]) -> None:
    head[WEIGHT].view(np.uint32).flat[np.abs(head[WEIGHT]).argmax()] ^= 1 << 27


WEIGHTS: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "a tensor is missing [19]": lambda head: head.pop(INTERCEPT),
    "a tensor too many [20]": lambda head: head.update(more=np.zeros(1, np.float32)),
    "one class less [21]": lambda head: head.update({WEIGHT: head[WEIGHT][:, 1:].copy()}),
    "turned on its side [21]": lambda head: head.update({WEIGHT: head[WEIGHT].T.copy()}),
    "a NaN [22]": lambda head: head[WEIGHT].__setitem__((3, 4), np.nan),
    "an infinity [22]": lambda head: head[INTERCEPT].__setitem__(0, -np.inf),
    "float64": lambda head: head.update({WEIGHT: head[WEIGHT].astype(np.float64)}),
    "one high bit flipped [23]": larger,
    "columns permuted [24]": lambda head: head.update({WEIGHT: np.roll(head[WEIGHT], 1, axis=1)}),
    "all zero": lambda head: head[WEIGHT].fill(0),
}


STILL_FINITE = {"one high bit flipped [23]", "columns permuted [24]", "all zero"}


@pytest.mark.parametrize("name", WEIGHTS)
def test_wrong_weights_are_refused_by_name_or_where_they_could_be_right_by_the_golden_images(folder: Path, name: str):
    head, metadata = weights_of(folder)
    WEIGHTS[name](head)
    (folder / HEAD).write_bytes(safetensors.numpy.save(head, metadata))
    refused(sealed(folder), "golden images are answered otherwise" if name in STILL_FINITE else f" {HEAD}: ")


@pytest.mark.parametrize("cut", [-1, 1])
def test_weights_a_byte_too_short_or_too_long_are_refused(folder: Path, cut: int):
    data = (folder / HEAD).read_bytes()
    (folder / HEAD).write_bytes(data[:-1] if cut < 0 else data + b"\0")  # [2] [4]
    refused(sealed(folder), HEAD)


def swap(values: dict[str, Any]) -> None:
    classes = values["categories"]
    classes[0], classes[1] = classes[1], classes[0]


def layout(values: dict[str, Any]) -> dict[str, Any]:
    return values["layout"][0]


def member(values: dict[str, Any]) -> dict[str, Any]:
    return values["classifier"]["members"][0]


DESCRIPTIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "classes permuted [24]": swap,
    "a class renamed [25]": lambda v: v["categories"][0]["names"].__setitem__(-1, "Vase"),
    "a class renamed in the tree [25]": lambda v: v["taxonomy"]["nodes"][2].__setitem__(1, "Vase"),
    "a class twice [26]": lambda v: v["categories"].__setitem__(1, v["categories"][0]),
    "a class less [27]": lambda v: v["categories"].pop(),
    "no class": lambda v: v["categories"].clear(),
    "a class that the tree lacks": lambda v: v["categories"][0].update(id="nowhere"),
    "a tree with a loop": lambda v: v["taxonomy"]["nodes"][0].__setitem__(2, v["taxonomy"]["nodes"][1][0]),
    "a node of four fields": lambda v: v["taxonomy"]["nodes"][0].append("x"),
    "a node that is a number": lambda v: v["taxonomy"]["nodes"].__setitem__(0, 7),
    "a name that is a list": lambda v: v["taxonomy"]["nodes"][0].__setitem__(1, []),
    "level names of another depth": lambda v: v["taxonomy"].update(level_names=["a"]),
    "a newer format [29]": lambda v: v.update(format=3),
    "no format": lambda v: v.pop("format"),
    "no tree": lambda v: v.pop("taxonomy"),
    "no layout": lambda v: v.pop("layout"),
    "an empty layout": lambda v: v.update(layout=[]),
    "a layout that is text": lambda v: v.update(layout="lite0"),
    "a card that is text": lambda v: layout(v).update(card="lite0"),
    "a card without a name": lambda v: layout(v)["card"].pop("name"),
    "a card of a package to import": lambda v: layout(v)["card"].update(name="evil", package="os"),
    "a card with other weights": lambda v: layout(v)["card"].update(sha256="0" * 64),
    "a card on the hub without its weights": lambda v: layout(v)["card"].update(source="hub", name="x", widths=[1280]),
    "a card in the file system": lambda v: layout(v)["card"].update(source="file", file="/etc/passwd", widths=[1280]),
    "a card with a name that is a path": lambda v: layout(v)["card"].update(
        source="file", name="../../x", widths=[1280]
    ),
    "side 0 [30]": lambda v: layout(v).update(side_px=0),
    "side 10^9 [30]": lambda v: layout(v).update(side_px=10**9),
    "a side without end": lambda v: layout(v).update(side_px=float("inf")),
    "another side [33]": lambda v: layout(v).update(side_px=64),
    "an unknown filter [32]": lambda v: layout(v)["card"].update(filter="lanczos"),
    "another number of stages": lambda v: layout(v).update(stages=1),
    "a negative number of stages": lambda v: layout(v).update(stages=-1),
    "an unknown precision": lambda v: layout(v).update(precision="int4"),
    "a precision that is a path": lambda v: layout(v).update(precision="/../../../x"),
    "no classifier": lambda v: v.pop("classifier"),
    "no member": lambda v: v["classifier"]["members"].clear(),
    "a member twice": lambda v: v["classifier"]["members"].append(member(v)),
    "a member that is text": lambda v: v["classifier"].update(members=["flat"]),
    "another weight": lambda v: v["classifier"].update(weights=[0.5]),
    "a weight that is text": lambda v: v["classifier"].update(weights=["1"]),
    "a part beyond the features": lambda v: member(v).update(parts=[[0, 10**9]]),
    "a part of the features": lambda v: member(v).update(parts=[[0, 100]]),
    "an unknown pool": lambda v: member(v)["pool"].update(kind="median"),
    "an unknown hierarchy": lambda v: member(v)["model"].update(hierarchy="rings"),
    "an unknown head": lambda v: member(v)["model"]["head"].update(kind="pickle"),
    "no calibration": lambda v: v["classifier"].pop("calibration"),
    "no temperature": lambda v: member(v)["model"].pop("temperature"),
    "temperature 0": lambda v: member(v)["model"].update(temperature=0),
    "temperature NaN [31]": lambda v: member(v)["model"].update(temperature=float("nan")),
    "a temperature without end": lambda v: member(v)["model"].update(temperature=10**400),
    "another temperature": lambda v: member(v)["model"].update(temperature=member(v)["model"]["temperature"] * 3),
    "facts that are a list": lambda v: v.update(facts=[1]),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_changed_description_is_refused_or_caught_by_the_golden_images(folder: Path, name: str):
    edit(folder, DESCRIPTIONS[name])
    refused(sealed(folder))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 99999, b'{"format": 1}', b'{"format": true}'])
def test_a_description_that_is_none_is_refused(folder: Path, data: bytes):
    (folder / "bundle.json").write_bytes(data)
    refused(sealed(folder), "bundle.json")


def test_golden_images_cannot_be_left_out_or_exchanged(folder: Path):
    first, second = (folder / "golden/00").read_bytes(), (folder / "golden/01").read_bytes()
    (folder / "golden/00").write_bytes(second)
    (folder / "golden/01").write_bytes(first)
    refused(sealed(folder), "2 of 16 golden images are answered otherwise")
    (folder / "golden/00").write_bytes(b"no picture")
    refused(sealed(folder), "golden", "img_")
    shutil.rmtree(folder / "golden")
    refused(sealed(folder), "golden")
    (folder / "golden.safetensors").write_bytes(
        safetensors.numpy.save({"probabilities": np.zeros((0, 12), np.float32)})
    )
    refused(sealed(folder), "golden/00", "is missing")


def test_nothing_in_a_bundle_is_unpickled(folder: Path, tmp_path: Path):
    canary = tmp_path / "canary"
    bomb = pickle.dumps(Canary(canary))
    for file in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
        whole = (folder / file).read_bytes()
        (folder / file).write_bytes(bomb)  # [38]
        if file != "MANIFEST.json":
            sealed(folder)
        if file in ("left_out.parquet", "held_out.parquet"):
            with pytest.raises(BundleError, match=file):
                getattr(Bundle.load(folder), file.removesuffix(".parquet"))()
        elif file in KEPT:  # read when something is changed, and checked then
            with pytest.raises(BundleError, match=file):
                Bundle.load(folder).learned()
        else:
            refused(folder)
        (folder / file).write_bytes(whole)
        sealed(folder)
    for name in ("model.pt", "model.joblib", "weights.npy", "golden/x.pkl", "setup.py"):  # [39]
        (folder / name).write_bytes(bomb)
        refused(sealed(folder), name, "is no part of a bundle")
        (folder / name).unlink()
    assert not canary.exists()
    pickle.loads(bomb)
    assert canary.exists()  # the control: it would have been seen


def test_answers_of_left_out_products_that_are_none_are_refused_by_name(folder: Path):
    whole, dice = (folder / "left_out.parquet").read_bytes(), random.Random(3)
    damaged = [b"", b"x", whole[:-1], whole[: len(whole) // 2], whole + b"x", whole[4:]]
    for _ in range(150):
        flipped = bytearray(whole)
        for _ in range(dice.choice((1, 1, 8))):
            flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        damaged.append(bytes(flipped))
    bundle, caught = Bundle.load(folder), 0
    for data in damaged:
        object.__setattr__(bundle, "left_out_table", data)
        try:
            assert len(bundle.left_out()) >= 0
        except BundleError as error:
            assert "left_out.parquet" in str(error)
            caught += 1
    assert caught > 30


@pytest.mark.slow
def test_two_hundred_flips_with_a_new_manifest_never_crash(folder: Path):
    dice, files = (
        random.Random(5),
        sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.json"),
    )
    told = 0
    for _ in range(200):
        path = dice.choice(files)
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[dice.randrange(min(len(whole), 3000))] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        try:
            Bundle.load(sealed(folder))
        except BundleError:
            told += 1
        path.write_bytes(whole)
    assert told > 50


# ---- containers


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "golden/../../x", "golden/../x", "backbones/../x.onnx", "a/b", "golden/", "C:\\x"]
)
def test_a_member_with_a_strange_name_is_refused_and_nothing_is_written(folder: Path, name: str):
    before = set(folder.parent.rglob("*"))
    file = zipped(sealed(folder), **{name: b"x"})  # [34] [35]
    refused(file, name, "is no part of a bundle")
    assert set(folder.parent.rglob("*")) == before | {file}


def test_a_member_twice_is_refused(folder: Path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = zipped(folder, **{HEAD: b"another"})  # [37]
    refused(file, HEAD, "occurs twice")


def test_a_compressed_member_is_refused_so_that_no_zip_can_be_a_bomb(folder: Path):
    file = zipped(folder)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[HEAD] = bytes(300 * 2**20)  # [37]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert file.stat().st_size < 2**23
    refused(file, "compressed")


def test_more_bytes_than_the_limit_are_refused_before_they_are_read(folder: Path):
    with (folder / HEAD).open("r+b") as file:
        file.truncate(3 * 2**30)  # a hole: no block of it is on the disk
    refused(folder, "the limit is")


def test_more_files_than_the_limit_are_refused(folder: Path):
    for number in range(300):
        (folder / "golden" / f"9{number}").write_bytes(b"x")
    refused(sealed(folder), "the limit is 256")


def test_links_and_devices_are_refused_and_never_opened(folder: Path):
    secret = folder.with_name("secret")
    (folder / HEAD).rename(secret)
    (folder / HEAD).symlink_to(secret)  # [36]
    refused(folder, HEAD, "a link or a device")
    (folder / HEAD).unlink()
    os.mkfifo(folder / HEAD)  # opening it would wait for ever
    refused(folder, HEAD, "a link or a device")
    (folder / HEAD).unlink()
    shutil.copy(secret, folder / HEAD)
    (folder / "golden").rename(folder.with_name("elsewhere"))
    (folder / "golden").symlink_to(folder.with_name("elsewhere"))
    refused(folder, "golden")


def test_a_link_in_a_zip_is_not_followed(folder: Path):
    secret = folder.with_name("secret")
    shutil.copy(folder / HEAD, secret)
    (folder / HEAD).unlink()
    file = zipped(folder)
    entry = zipfile.ZipInfo(HEAD)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(entry, str(secret))
    refused(file, HEAD, "sha256 differs")


def test_a_zip_with_a_password_is_refused(folder: Path):
    file = zipped(folder)
    data = bytearray(file.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            data[start + place] |= 1
            start += 4
    file.write_bytes(data)
    refused(file, str(file))


# ---- backbones that travel inside


def graph(*, external: bool = False, domain: str = "") -> bytes:
    """A network from photos to 3 numbers: their mean color, through a matrix."""
    matrix = helper.make_tensor("matrix", TensorProto.FLOAT, [3, 3], np.eye(3, dtype=np.float32).ravel().tolist())
    if external:
        matrix.data_location = TensorProto.EXTERNAL
        matrix.ClearField("float_data")
        matrix.external_data.add(key="location", value="../../../../etc/passwd")
    nodes = [
        helper.make_node("GlobalAveragePool", ["photos"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Evil" if domain else "MatMul", ["flat", "matrix"], ["out"], domain=domain),
    ]
    fed = [helper.make_tensor_value_info("photos", TensorProto.FLOAT, ["n", 3, "h", "w"])]
    given = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3])]
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(helper.make_graph(nodes, "toy", fed, given, [matrix]), opset_imports=opsets, ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture
def foreign(drawn_bundle: Path, tmp_path: Path) -> Path:
    """A bundle whose backbone is foreign and travels inside it."""
    data = graph()
    card = BackboneCard(
        name="toy", title="Toy", source="file", file="/nowhere/toy.onnx", sha256=hashlib.sha256(data).hexdigest(),
        license="none", side_px=32, widths=(3,), output="out",
    )  # fmt: skip
    known = Bundle.load(drawn_bundle)
    head = Linear(np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32))
    bundle = Bundle(
        layout=FeatureLayout((BackboneSpec(card, 32, 0),)),
        columns=Columns(("a", "b"), Taxonomy([Node("a", "A", None), Node("b", "B", None)])),
        classifier=Classifier((Member("toy", Flat(head, 1.0)),), (1.0,), Calibration()),
        facts={}, weights={"toy": data}, left_out_table=known.left_out_table, held_out_table=known.held_out_table,
    )  # fmt: skip
    bundle.with_golden(known.golden).save(tmp_path / "toy.bundle")
    return tmp_path / "toy.bundle"


def exchange(folder: Path, data: bytes) -> Path:
    """Put another graph in, with its digest on the card and in the manifest."""
    (folder / "backbones/toy.onnx").write_bytes(data)
    edit(folder, lambda values: layout(values)["card"].update(sha256=hashlib.sha256(data).hexdigest()))
    return sealed(folder)


def test_a_foreign_backbone_travels_inside_the_bundle(foreign: Path):
    bundle = Bundle.load(foreign)
    assert bundle.features_of([photo("mug")]).shape == (1, 3)
    assert onnx.load_model_from_string(bundle.weights["toy"]).graph.name == "toy"


@pytest.mark.parametrize(
    "data",
    [
        graph(external=True),
        graph(domain="evil.ops"),
        b"",
        b"no graph",
        graph()[:-20],
        onnx.ModelProto().SerializeToString(),
    ],
    ids=["external data [40]", "operators of a library [40]", "empty", "no graph", "cut", "bare"],
)
def test_a_graph_that_is_not_sound_is_refused(foreign: Path, data: bytes):
    refused(exchange(foreign, data))


def test_a_graph_whose_digest_is_not_that_of_its_card_is_refused(foreign: Path):
    (foreign / "backbones/toy.onnx").write_bytes(graph() + b"\x00")
    refused(sealed(foreign))


def test_weights_that_are_missing_or_belong_to_no_backbone_are_refused_and_never_fetched(
    foreign: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_network(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    (foreign / "backbones/toy.onnx").unlink()
    refused(sealed(foreign), "backbones/toy.onnx", "is missing")
    edit(foreign, lambda values: layout(values)["card"].update(source="hub", repository="x/y", revision="1"))
    refused(sealed(foreign), "backbones/toy.onnx", "is missing")
    (folder / "backbones").mkdir()
    (folder / "backbones/toy.onnx").write_bytes(graph())
    refused(sealed(folder), "backbones/toy.onnx", "belongs to no backbone")


def test_a_bundle_of_format_1_is_told_from_a_damaged_one(folder: Path):
    (folder / HEAD).rename(folder / "head.safetensors")
    refused(sealed(folder), "head.safetensors", "early shelfwise (format 1): train again")
