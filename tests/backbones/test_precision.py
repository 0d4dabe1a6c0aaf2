from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from drawn_backbones import patch_graph, write_card

from shelfwise.backbones import precision
from shelfwise.backbones.cards import BackboneSpec, parse_spec
from shelfwise.backbones.precision import TOLERATED_COST_POINTS, settle_precision
from shelfwise.backbones.quantize import has_int8_dot_product
from shelfwise.errors import OptionError


def spec(text: str, **cost_points: float) -> BackboneSpec:
    known = parse_spec(text)
    costs = {name.removeprefix("at_").replace("_", ":"): cost for name, cost in cost_points.items()}
    return replace(known, card=replace(known.card, int8_cost_points=costs))


@pytest.mark.parametrize("has_instructions", [True, False])
@pytest.mark.parametrize(
    ("asked", "cost", "with_instructions"),
    [
        ("auto", 0.1, "int8"),
        ("auto", -0.4, "int8"),
        ("auto", TOLERATED_COST_POINTS, "fp32"),
        ("auto", 2.0, "fp32"),
        ("auto", None, "fp32"),
        ("fp32", 0.0, "fp32"),
    ],
)
def test_auto_takes_int8_only_where_its_cost_is_recorded_and_small_and_the_processor_is_made_for_it(
    monkeypatch: pytest.MonkeyPatch,
    asked: Literal["auto", "fp32", "int8"],
    cost: float | None,
    with_instructions: str,
    has_instructions: bool,
) -> None:
    monkeypatch.setattr(precision, "has_int8_dot_product", lambda: has_instructions)
    chosen = settle_precision(spec("lite0", **({} if cost is None else {"at_224_0": cost})), asked)
    assert chosen.precision == (with_instructions if has_instructions else "fp32")


def test_the_recorded_cost_is_that_of_the_same_side_and_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_int8_dot_product", lambda: True)
    for text, expected in {"lite0": "int8", "lite0@225": "fp32", "lite0:1": "fp32"}.items():
        assert settle_precision(spec(text, at_224_0=0.0), "auto").precision == expected


@pytest.mark.parametrize("has_instructions", [True, False])
def test_int8_that_is_asked_for_is_given(monkeypatch: pytest.MonkeyPatch, has_instructions: bool) -> None:
    monkeypatch.setattr(precision, "has_int8_dot_product", lambda: has_instructions)
    assert settle_precision(spec("lite0", at_224_0=9.0), "int8").precision == "int8"


def test_a_foreign_graph_stays_what_it_is(tmp_path: Path) -> None:
    foreign = parse_spec(str(write_card(tmp_path, patch_graph().SerializeToString())))
    assert settle_precision(foreign, "auto").precision == settle_precision(foreign, "fp32").precision == "fp32"
    with pytest.raises(OptionError, match="bring an int8 graph as its own card"):
        settle_precision(foreign, "int8")


@pytest.mark.parametrize(
    ("cpuinfo", "machine", "system", "expected"),
    [
        ("flags : fpu avx512f avx512_vnni avx512_bitalg", "x86_64", "Linux", True),
        ("flags : fpu avx2 avx_vnni", "x86_64", "Linux", True),
        ("Features : fp asimd evtstrm aes asimddp", "aarch64", "Linux", True),
        ("flags : fpu avx2 avx512f avx512bw", "x86_64", "Linux", False),
        ("model name : avx512_vnni_less", "x86_64", "Linux", False),
        (None, "arm64", "Darwin", True),
        (None, "x86_64", "Darwin", False),
        (None, "AMD64", "Windows", False),
    ],
)
def test_the_processors_flags_say_whether_it_multiplies_int8(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str | None, machine: str, system: str, expected: bool
) -> None:
    def read_text(path: Path) -> str:
        assert path == Path("/proc/cpuinfo")
        if cpuinfo is None:
            raise FileNotFoundError
        return cpuinfo

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.system", lambda: system)
    assert has_int8_dot_product() is expected
