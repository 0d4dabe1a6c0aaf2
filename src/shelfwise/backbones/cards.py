"""Cards: what a backbone is, where its weights come from, and how it is named in options."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast, get_args

from shelfwise.errors import BackboneError, OptionError
from shelfwise.images.preprocess import Fit

Precision = Literal["fp32", "int8"]
Source = Literal["package", "hub", "file"]
Pool = Literal["none", "first", "mean", "map"]
View = Literal["whole", "middle"]
SIDES_PX = range(32, 1025)
_DESCRIPTION = "bundle.json"
TRAINED_HERE = ", trained by shelfwise"

# Named sets of backbones. Source: docs/experiments.md, entries on the default, the fast and the best preset.
PRESETS = {
    "fast": "lite0@320:2/middle",
    "default": "lite0@320:2/middle+lite2@340:2/middle",
    "best": "lite0@320:2/middle+lite1@340:2/middle+lite2@340:2/middle",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BackboneCard:
    """A backbone's card.

    source: where `file` lies: in an installed package, on the Hugging Face hub at a pinned revision, or in the file system.
    widths: the pooled head first, then the pooled outputs of the last stages, last one first; one width where the network
    offers no stages. fit: how a photo becomes a square. mean, std, output, pool: of foreign ONNX graphs, whose input is float
    (n, 3, h, w). unit_length: whether heads look at its vectors scaled to length 1, or as they are. int8_cost_points: what int8
    costs at SIDE:STAGES, in points of accuracy (docs/experiments.md).
    """

    name: str
    title: str
    source: Source
    file: str
    sha256: str
    license: str
    side_px: int
    widths: tuple[int, ...]
    citation: str = ""
    package: str = ""
    repository: str = ""
    revision: str = ""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    fit: Fit = "squash"
    output: str = "vector"
    pool: Pool = "none"
    unit_length: bool = True
    int8_cost_points: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BackboneCard:
        """Build a card from TOML or JSON values; raises BackboneError naming fields that are missing or unknown."""
        fields = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        missing = sorted(
            n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING and n not in values
        )
        if unknown or missing:
            raise BackboneError(f"card {values.get('name', '?')}: unknown fields {unknown}, missing fields {missing}")
        arguments: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        card = cls(**arguments)
        card._check()
        return card

    def _check(self) -> None:
        """Refuse values that cannot be; names and digests become parts of file names."""
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise BackboneError(f"card {self.name!r}: a name is made of letters, digits, dots, dashes and underscores")
        widths = self.widths if isinstance(self.widths, tuple) else ()
        problems = {
            "source: package, hub or file is needed": self.source not in get_args(Source),
            "fit: squash, crop or pad is needed": self.fit not in get_args(Fit),
            "pool: none, first, mean or map is needed": self.pool not in get_args(Pool),
            "sha256: 64 hex digits are needed": not re.fullmatch(r"[0-9a-f]{64}", str(self.sha256)),
            "widths: whole numbers are needed": not widths or not all(type(w) is int and w > 0 for w in widths),
            "widths: only the packaged backbones have stages": self.source != "package" and len(widths) > 1,
            "side_px: 32 to 1024 is needed": type(self.side_px) is not int or self.side_px not in SIDES_PX,
            "unit_length: true or false is needed": not isinstance(self.unit_length, bool),
            "mean: three numbers are needed": not _is_color(self.mean),
            "std: three numbers are needed, none of them 0": not _is_color(self.std) or 0 in self.std,
        }
        wrong = [problem for problem, is_there in problems.items() if is_there]
        if wrong:
            raise BackboneError(f"card {self.name}: {'; '.join(wrong)}")

    @property
    def was_trained_here(self) -> bool:
        """Whether the network learned from products of a catalog, as its title says: those look better to it than others."""
        return self.title.endswith(TRAINED_HERE)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}


def _is_color(values: object) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and all(type(v) in (int, float) for v in values)


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A backbone as an option names it: `NAME[@SIDE][:STAGES][/middle]`, with the precision that was settled on.

    stages: how many of the last stages' pooled outputs stand beside the head's. view: the whole photo, or its middle.
    """

    card: BackboneCard
    side_px: int
    stages: int
    view: View = "whole"
    precision: Precision = "fp32"

    def __str__(self) -> str:
        return f"{self.card.name}{self.variant}"

    @property
    def variant(self) -> str:
        """What the option says behind the name, e.g. `@320:2/middle`."""
        side = f"@{self.side_px}" if self.side_px != self.card.side_px else ""
        return side + (f":{self.stages}" if self.stages else "") + (f"/{self.view}" if self.view != "whole" else "")

    @property
    def key(self) -> str:
        """Name of this embedding in a catalog, e.g. `lite0-320-s2-int8`."""
        stages = f"-s{self.stages}" if self.stages else ""
        weights = "" if self.card.source == "package" else f"-{self.card.sha256[:8]}"
        view = f"-{self.view}" if self.view != "whole" else ""
        return f"{self.card.name}{weights}-{self.side_px}{stages}{view}-{self.precision}"

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the parts of one vector."""
        return self.card.widths[: self.stages + 1]

    def to_dict(self) -> dict[str, Any]:
        """Return the backbone as JSON values."""
        return {
            "card": self.card.to_dict(), "side_px": self.side_px, "stages": self.stages, "view": self.view,
            "precision": self.precision,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BackboneSpec:
        """Build from JSON values; raises BackboneError for values that make no backbone.

        A card that says its weights come with a package must be one of ours: no file may name packages to import.
        """
        card = BackboneCard.from_dict(values["card"])
        if card.source == "package":
            known = packaged_cards().get(card.name)
            if known is None or known.sha256 != card.sha256:
                raise BackboneError(f"{card.name}: this shelfwise brings no such weights")
            card = known
        spec = cls(card, int(values["side_px"]), int(values["stages"]), values["view"], values["precision"])
        if spec.precision not in get_args(Precision) or (spec.precision == "int8" and card.source != "package"):
            raise BackboneError(f"{card.name}: the precision {spec.precision!r} is not to be had")
        if spec.view not in get_args(View):
            raise BackboneError(f"{card.name}: no such view ({spec.view!r})")
        if spec.side_px not in SIDES_PX or spec.stages not in range(len(card.widths)):
            raise BackboneError(f"{card.name}: no such side ({spec.side_px}) or number of stages ({spec.stages})")
        return spec


@cache
def packaged_cards() -> dict[str, BackboneCard]:
    """Read the cards that come with shelfwise."""
    cards = {}
    for entry in sorted(resources.files(__package__).joinpath("cards").iterdir(), key=lambda entry: entry.name):
        name = entry.name.removesuffix(".toml")
        cards[name] = BackboneCard.from_dict({"name": name} | tomllib.loads(entry.read_text()))
    return cards


def find_card(name: str) -> BackboneCard:
    """Find a card by name, or read the one at a path ending in .toml (or beside a path ending in .onnx), or in a bundle.

    Raises OptionError, naming the nearest known card, for anything else.
    """
    path = Path(name)
    if path.suffix in (".toml", ".onnx"):
        return _read_card(path.with_suffix(".toml"))
    if _is_bundle(path):
        return _card_in_bundle(path)
    cards = packaged_cards()
    if name not in cards:
        near = get_close_matches(name, cards, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(
            f"no backbone is called {name!r}: {hint}known: {', '.join(cards)}, or the path of an .onnx file or of a bundle"
        )
    return cards[name]


def _read_card(path: Path) -> BackboneCard:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise BackboneError(
            f"{path} is missing: an .onnx file needs a card beside it, so that nothing is guessed. It holds\n"
            'title, license, sha256 (text), side_px, widths = [d], mean = [r, g, b], std = [r, g, b], output = "its name",\n'
            'pool = "none" (n, d) | "first" or "mean" of tokens (n, t, d) | "map" (n, d, h, w)'
        ) from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise BackboneError(f"{path}: {error}") from None
    defaults = {"name": path.stem, "source": "file", "file": str(path.with_suffix(".onnx").absolute())}
    card = BackboneCard.from_dict(defaults | values)
    if card.source == "package":  # no file may name packages to import
        raise BackboneError(f"{path}: a card of your own has the source file or hub")
    return card


def _is_bundle(path: Path) -> bool:
    return path.suffix in (".bundle", ".zip") or (path / _DESCRIPTION).exists()


def _card_in_bundle(path: Path) -> BackboneCard:
    """Read the card of a bundle's network; it is called like the folder, and other heads see its vectors scaled."""
    if path.suffix == ".zip" and path.is_file():
        raise OptionError(f"{path}: a backbone is read from a bundle's folder: unpack it, and name the folder")
    try:
        specs = json.loads((path / _DESCRIPTION).read_text(encoding="utf-8"))["layout"]
        cards = [BackboneCard.from_dict(spec["card"]) for spec in specs if spec["card"]["source"] != "package"]
    except OSError as error:
        raise OptionError(f"{path}: is no folder of a bundle ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BackboneError(f"{path / _DESCRIPTION}: {error.__class__.__name__}: {error}") from None
    if len(cards) != 1:
        carried = f"{len(cards)} networks" if cards else "no network, but a head on packaged backbones"
        raise OptionError(f"{path}: a bundle with one network is needed, this one carries {carried}")
    file, name = (
        path / "backbones" / f"{cards[0].name}.onnx",
        re.sub(r"[^A-Za-z0-9._-]", "-", path.absolute().stem).lstrip("._-"),
    )
    return dataclasses.replace(
        cards[0], name=name or cards[0].name, source="file", file=str(file.absolute()), unit_length=True
    )


_SPEC = re.compile(r"(?P<name>.+?)(@(?P<side>\d+))?(:(?P<stages>\d+))?(/(?P<view>middle))?")


def parse_spec(text: str) -> BackboneSpec:
    """Parse `NAME[@SIDE][:STAGES][/middle]`; raises OptionError for a side or a number of stages that cannot be."""
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise OptionError(f"{text!r} names no backbone: write NAME[@SIDE][:STAGES][/middle]")
    card = find_card(match["name"])
    side_px, stages = int(match["side"] or card.side_px), int(match["stages"] or 0)
    if side_px not in SIDES_PX:
        raise OptionError(f"{text}: a side of {side_px} px is out of range (32 to 1024)")
    if stages >= len(card.widths):
        raise OptionError(f"{text}: {card.name} offers {len(card.widths) - 1} stages beside its head")
    if side_px != card.side_px and _is_bundle(Path(match["name"])):
        raise OptionError(f"{text}: the network of a bundle takes photos of its own side alone: leave out @{side_px}")
    view = cast(View, match["view"] or "whole")
    return BackboneSpec(card, side_px, stages, view)


def parse_specs(text: str) -> list[BackboneSpec]:
    """Parse several backbones joined by `+`; raises OptionError when one occurs twice, or two are called the same."""
    specs = [parse_spec(part) for part in text.split("+")]
    if len({spec.key for spec in specs}) < len(specs):
        raise OptionError(f"{text}: a backbone is named twice")
    digests = {(spec.card.name, spec.card.sha256) for spec in specs}
    for name in sorted({name for name, _ in digests}):
        if len([True for known, _ in digests if known == name]) > 1:
            raise OptionError(f"{text}: two backbones are called {name!r}: rename one of the folders or files")
    return specs
