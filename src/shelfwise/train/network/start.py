"""What a network starts from: weights of the package or the hub, a file, a bundle whose network was trained before, or chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from shelfwise.bundle import Bundle
from shelfwise.bundle.members import NETWORK_WEIGHTS
from shelfwise.errors import OptionError
from shelfwise.networks.find import Blueprint, find_network
from shelfwise.networks.start import digest_of, put_weights, read_state, start_from_file, start_pretrained


@dataclass(frozen=True)
class Started:
    """What a network started from, the license of those weights, and the sha256 of all that it starts with."""

    told: str
    license: str
    digest: str

    @property
    def line(self) -> str:
        """What is told before training."""
        return f"starting from {self.told}" + ("" if self.license == "none" else f", license: {self.license}")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"started_from": self.told, "license": self.license}


def start_network(network: nn.Module, blueprint: Blueprint, start: str, accepts_license: bool) -> Started:
    """Put the weights that `start` names into a network: random, pretrained, a .safetensors file, or a bundle.

    Raises OptionError for anything else, for weights of another network and for licenses that were not accepted.
    """
    if start == "random":
        return Started("random weights", "none", digest_of(network))
    if start == "pretrained":
        start_pretrained(network, blueprint, accepts_license)
        return Started(f"the pretrained weights of {blueprint.body}", blueprint.license, digest_of(network))
    if Path(start).suffix == ".safetensors":
        start_from_file(network, Path(start))
        return Started(start, "unknown", digest_of(network))
    if Path(start).suffix != ".zip" and not Path(start).is_dir():
        raise OptionError(
            f"--start {start}: pretrained, random, a .safetensors file, or a bundle whose network was trained"
        )
    bundle = Bundle.load(start)
    _put_specialist(network, blueprint, bundle, start)
    return Started(f"the network of {start}", bundle.layout.specs[0].card.license, digest_of(network))


def _put_specialist(network: nn.Module, blueprint: Blueprint, bundle: Bundle, start: str) -> None:
    """Take over a trained network, all but its head, which is for other categories. Source: report R4."""
    if NETWORK_WEIGHTS not in bundle.kept:
        raise OptionError(
            f"--start {start}: this bundle holds no network that was trained with  shelfwise train --network"
        )
    name = str(bundle.facts["network"]["network"])
    if find_network(name).body != blueprint.body:
        raise OptionError(f"--start {start}: its network is {name}, not {blueprint.name}: type  --network {name}")
    put_weights(network, read_state(bundle.kept[NETWORK_WEIGHTS](), start), start, keeps_head=False)
