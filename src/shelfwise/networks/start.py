"""Weights that a network starts from, and under which terms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from shelfwise.errors import OptionError
from shelfwise.networks.find import Blueprint
from shelfwise.networks.heads import Flattened
from shelfwise.networks.stages import classifier_of, head_of

State = Mapping[str, Tensor]
_FREE = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause")
"""Licenses that allow any use. Source: their texts at https://opensource.org/licenses."""
_COUNTER = "num_batches_tracked"
_TOLD = 4


def start_pretrained(network: nn.Module, blueprint: Blueprint, accepts_license: bool) -> None:
    """Put the weights of the package or of the hub into a network, all but its head.

    Raises OptionError for weights whose license does not allow any use and was not accepted, or where there are none;
    BackboneError where they are not to be had.
    """
    if blueprint.fetch is None:
        raise OptionError(f"--start pretrained: there are no such weights of {blueprint.name}: leave it out")
    refuse_license(blueprint.name, blueprint.license, accepts_license)
    state = blueprint.fetch()
    if isinstance(network, Flattened):
        own = network.state_dict()
        state = {f"body.{name}": value for name, value in state.items() if f"body.{name}" in own}
    put_weights(network, state, f"the weights of {blueprint.name}", keeps_head=False)


def start_from_file(network: nn.Module, file: Path) -> None:
    """Put a state dict in a safetensors file into a network; its head begins anew where its shape differs.

    Raises OptionError for what is no such file, or holds another network, naming what differs.
    """
    put_weights(network, read_state(_read(file), str(file)), str(file), keeps_head=True)


def read_state(data: bytes, source: str) -> dict[str, Tensor]:
    """Read tensors by name from a safetensors file; raises OptionError for anything else."""
    try:
        return dict(safetensors.torch.load(data))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise OptionError(f"--start {source}: is no safetensors file ({error})") from None


def put_weights(network: nn.Module, state: State, source: str, keeps_head: bool) -> None:
    """Put weights into a network by their names.

    keeps_head: take the head as well, where all its shapes are the same; a head that is not taken begins with scores of 0 for
    every category. Raises OptionError, naming what differs, where the
    rest is not that of the network, and for numbers that are not finite.
    """
    head, own = f"{head_of(network)}.", network.state_dict()
    body = {name for name in own if not name.startswith(head)}
    given = {name: value for name, value in state.items() if not name.startswith(head)}
    wrong = [f"{name} is missing" for name in own if name in body - set(given) and not name.endswith(_COUNTER)]
    wrong += [f"{name} is unknown" for name in given if name not in body]
    wrong += [
        f"{name} is {tuple(value.shape)} instead of {tuple(own[name].shape)}"
        for name, value in given.items()
        if name in body and value.shape != own[name].shape
    ]
    if wrong:
        more = f", and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise OptionError(f"{source} holds another network: {', '.join(wrong[:_TOLD])}{more}")
    ends = {name: value for name, value in state.items() if name.startswith(head)}
    if keeps_head and _shapes(ends) == _shapes({name: own[name] for name in set(own) - body}):
        given |= ends
    else:
        _begin_at_zero(network)
    for name, value in given.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise OptionError(f"{source}: {name} holds a number that is not finite")
    network.load_state_dict(given, strict=False)


def _begin_at_zero(network: nn.Module) -> None:
    """Let the last layer say nothing, so that what the body knows is not first undone by random scores.

    Source: docs/experiments.md, where a head begins.
    """
    _, last = classifier_of(network)
    nn.init.zeros_(last.weight)
    if last.bias is not None:
        nn.init.zeros_(last.bias)


def refuse_license(name: str, license_name: str, accepted: bool) -> None:
    """Raise OptionError for weights whose license does not allow any use, unless it was accepted."""
    if not accepted and license_name.partition(" ")[0].lower() not in _FREE:
        told = "an unknown license" if license_name == "unknown" else f"the license {license_name}"
        raise OptionError(
            f"the weights of {name} come under {told}, which may not allow every use: read it, then add --accept-license, "
            "or begin with --start random"
        )


def digest_of(network: nn.Module) -> str:
    """Return the sha256 of all weights of a network with their names: what makes a start this start."""
    told = hashlib.sha256()
    for name, value in network.state_dict().items():
        told.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        told.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return told.hexdigest()


def _shapes(state: State) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise OptionError(f"--start {file}: cannot be read ({error.strerror or error})") from None
