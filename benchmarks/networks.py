"""The packaged weights in timm's networks, for the sides that run torch."""

from __future__ import annotations

import sys
from typing import Any

from shelfwise.backbones.cards import packaged_cards
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.weights import read_state_dict


def require_torch() -> None:
    try:
        import timm  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        sys.exit("this comparison needs torch: type  pip install 'shelfwise[torch]'")


def timm_lite(name: str) -> Any:
    """Build timm's tf_efficientnet_lite{k} with the weights of our card, without its last layer, ready to infer."""
    import timm
    import torch

    card = packaged_cards()[name]
    model = timm.create_model(f"tf_efficientnet_{name}", pretrained=False)
    state = model.state_dict()
    values = [torch.from_numpy(value) for _, value in read_state_dict(weights_file(card), card.sha256)]
    model.load_state_dict({n: v.reshape(state[n].shape) for n, v in zip(state, values, strict=True)})
    model.reset_classifier(0)
    return model.eval().requires_grad_(False)
