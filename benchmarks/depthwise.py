"""A training step of lite0's last two stages with our way back through small depthwise convolutions and with torch's, by turns.

Drawn activations at 224 px, 32 a step, the weights of the package; a turn is ten steps. Prints milliseconds a photo.
"""

from __future__ import annotations

import statistics
import time

import torch

from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.stages import cut
from shelfwise.train.network.descent import step_precision
from shelfwise.train.network.descent.depthwise import is_small_depthwise
from shelfwise.train.network.descent.trained_part import trained_part

TURNS, STEPS, BATCH, SIDE_PX, CATEGORIES = 7, 10, 32, 224, 81


def main() -> None:
    network = new_network(find_network("lite0"), CATEGORIES, 0.0, 0)
    part = trained_part(network, "2")
    front, tail = cut(network, part.stages, part.first_stage, SIDE_PX)
    inputs = torch.randn(BATCH, *front(torch.zeros(1, 3, SIDE_PX, SIDE_PX)).shape[1:])
    truth, optimizer = torch.randint(0, CATEGORIES, (BATCH,)), torch.optim.AdamW(tail.parameters(), lr=1e-5)
    tail.eval()  # batch norms frozen, as in fine-tuning

    def turn(bf16: bool) -> float:
        started = time.perf_counter()
        for _ in range(STEPS):
            torch.nn.functional.cross_entropy(step_precision.computed(tail, inputs, bf16), truth).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return 1000 * (time.perf_counter() - started) / STEPS / BATCH

    for bf16 in (True, False):
        of_side: dict[str, list[float]] = {"torch's": [], "ours": []}
        for _ in range(TURNS + 1):  # the first turn warms up
            for side, fits in (("torch's", lambda *_: False), ("ours", is_small_depthwise)):
                step_precision.is_small_depthwise = fits
                of_side[side].append(turn(bf16))
        times = [a / b for a, b in zip(*(each[1:] for each in of_side.values()), strict=True)]
        told = ", ".join(f"{side} {statistics.median(each[1:]):.2f}" for side, each in of_side.items())
        spread = f"{min(times):.2f} - {max(times):.2f}"
        print(
            f"{'bf16' if bf16 else 'fp32'}: {told} ms a photo, {statistics.median(times):.2f} times as fast ({spread})"
        )


if __name__ == "__main__":
    main()
