"""Photos that grow while a network learns from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from shelfwise.errors import OptionError


def side_of(sides_px: Sequence[int], epochs: int, curve: Sequence[Mapping[str, float]]) -> int:
    """Return the side in pixels of the photos of the next epoch.

    curve: a row for each epoch so far, with side_px, loss and held_loss. After an epoch in which held-out products were
    explained worse than the photos learned from, the next larger side is taken; at the latest when a smaller one has had its
    share of the epochs, so that the last epoch is always one of the last side. Where there are more sides than epochs, the
    smallest are left out. Label smoothing and mixing raise the loss of the photos learned from, and so delay the first rule.
    Held-out products are judged with photos of the same side, so that the losses can be compared; weights are kept, and early
    stopping counts, by epochs of the last side, which is the one that is served.
    Source: report R2 for the first rule; the second is ours.
    """
    place = max(place for place in range(len(sides_px)) if place * epochs // len(sides_px) <= len(curve))
    if curve:
        last = curve[-1]
        exceeds = last["held_loss"] > last["loss"]
        place = max(place, sides_px.index(int(last["side_px"])) + exceeds)
    return sides_px[min(place, len(sides_px) - 1)]


def refuse_sides(network: nn.Module, sides_px: Sequence[int]) -> None:
    """Raise OptionError for a side whose photos a network does not take."""
    network.eval()
    for side_px in sides_px:
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, side_px, side_px))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise OptionError(f"--side {side_px}: the network takes no such photos ({error})") from error
