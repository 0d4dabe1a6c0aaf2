"""Vectors of the Grocery photos, from JPEG files: Shelfwise, torch with Pillow, and bare ONNX Runtime. Needs torch.

All run EfficientNet-Lite0 at 224 px with the same weights on two threads. `bare` gets pictures that are decoded and
resized already: in fp32 it is what the processor allows without int8, as one call on two threads, and as two calls on
one thread each, whichever is faster.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

import harness
from networks import require_torch, timm_lite
from shelfwise.backbones import Extractor, parse_specs
from shelfwise.backbones.cards import Precision
from shelfwise.engines import map_ordered
from shelfwise.images.decode import decode
from shelfwise.images.preprocess import Preprocessing, fit_square, prepare

THREADS, OUR_BATCH, TORCH_BATCH, WARM_UP, SIDE_PX = 2, 8, 32, 64, 224
TORCH, LOADER, TUNED = "torch, Pillow", "torch, Pillow, DataLoader", "torch tuned, Pillow"
INT8, FP32 = "shelfwise int8", "shelfwise fp32"
BARE, BARE_TWO, BARE_INT8 = (
    "bare fp32, 1 call x 2 threads",
    "bare fp32, 2 calls x 1 thread",
    "bare int8, 2 calls x 1 thread",
)


def photos(quick: bool) -> list[Path]:
    listed = sorted((harness.DATA / "grocery" / "dataset" / "test").rglob("*.jpg"))
    if not listed:
        sys.exit(f"the Grocery photos are not below {harness.DATA}: set SHELFWISE_DATA")
    return listed[:: len(listed) // (192 if quick else 1024)]


def extractor(precision: Precision, threads: int = 1) -> Extractor:
    return Extractor(replace(parse_specs("lite0")[0], precision=precision), threads=threads)


def timed(work: Callable[[Any], np.ndarray], items: Any) -> harness.Turn:
    """Measure a run over all items; the mean direction shows that the sides do the same work."""

    def turn() -> dict[str, Any]:
        started = time.perf_counter()
        vectors = work(items)
        seconds = time.perf_counter() - started
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return {"photos/s": len(unit) / seconds, "mean of vectors x 1000": float(unit.astype(np.float64).mean() * 1e3)}

    return turn


def in_batches(items: Any) -> Iterator[Any]:
    return (items[start : start + OUR_BATCH] for start in range(0, len(items), OUR_BATCH))


def shelfwise(precision: Precision, quick: bool) -> harness.Turn:
    ready = extractor(precision)

    def vectors_of(batch: list[Path]) -> np.ndarray:
        return ready.vectors_of([file.read_bytes() for file in batch])

    def work(files: list[Path]) -> np.ndarray:
        return np.concatenate(list(map_ordered(vectors_of, in_batches(files), THREADS)))

    files = photos(quick)
    work(files[:WARM_UP])
    return timed(work, files)


def bare(precision: Precision, calls: int, quick: bool) -> harness.Turn:
    ready = extractor(precision, threads=THREADS // calls)
    squares = np.stack([prepare(file.read_bytes(), Preprocessing(SIDE_PX)) for file in photos(quick)])

    def work(squares: np.ndarray) -> np.ndarray:
        return np.concatenate(list(map_ordered(ready.vectors, in_batches(squares), calls)))

    work(squares[:WARM_UP])
    return timed(work, squares)


def decoded_by_pillow(file: Path) -> Any:
    import torch
    from PIL import Image

    image = Image.open(file).convert("RGB").resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


class PhotoDataset:
    """What a DataLoader reads."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Any:
        return decoded_by_pillow(self.files[row])


def torch_eager(workers: int, quick: bool) -> harness.Turn:
    require_torch()
    import torch

    torch.set_num_threads(THREADS)
    model = timm_lite("lite0")

    def loader_of(files: list[Path]) -> Any:
        return torch.utils.data.DataLoader(
            PhotoDataset(files), batch_size=TORCH_BATCH, num_workers=workers, persistent_workers=workers > 0
        )

    def work(loader: Any) -> np.ndarray:
        with torch.inference_mode():
            return np.concatenate([model(batch).numpy() for batch in loader])

    work(loader_of(photos(quick)[:WARM_UP]))
    return timed(work, loader_of(photos(quick)))  # its workers start in the first turn and stay


def torch_tuned(quick: bool) -> harness.Turn:
    """Run torch the way we found it fastest: channels last, our small batches, two calls on one thread each.

    Two threads inside a call wait for each other by spinning, which costs dearly where other programs run.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    require_torch()
    import torch

    model = timm_lite("lite0").to(memory_format=torch.channels_last)

    def vectors_of(batch: list[Path]) -> np.ndarray:
        with torch.inference_mode():
            pictures = torch.stack([decoded_by_pillow(file) for file in batch])
            return model(pictures.to(memory_format=torch.channels_last)).numpy()

    def work(files: list[Path]) -> np.ndarray:
        return np.concatenate(list(map_ordered(vectors_of, in_batches(files), THREADS)))

    files = photos(quick)
    work(files[:WARM_UP])
    return timed(work, files)


def breakdown(precision: Precision, quick: bool) -> harness.Turn:
    """Where our own time goes, on one thread, step by step, in milliseconds a photo."""
    files, ready, preprocessing = photos(quick), extractor(precision), Preprocessing(SIDE_PX)

    def step(function: Callable[[Any], Any], items: list[Any]) -> tuple[list[Any], float]:
        started = time.thread_time()
        done = [function(item) for item in items]
        return done, (time.thread_time() - started) * 1000 / len(files)

    def turn() -> dict[str, Any]:
        data, read_ms = step(Path.read_bytes, files)
        pictures, decode_ms = step(partial(decode, minimum_side_px=SIDE_PX), data)
        squares, resize_ms = step(lambda picture: fit_square(picture.pixels, preprocessing), pictures)
        batches = [np.stack(batch) for batch in in_batches(squares)]
        _, infer_ms = step(ready.vectors, batches)
        return {"read ms": read_ms, "decode ms": decode_ms, "resize ms": resize_ms, "inference ms": infer_ms}

    turn()
    return turn


def main() -> None:
    options = harness.arguments(__doc__)
    sides: dict[str, harness.Prepare] = {
        TORCH: lambda: torch_eager(0, options.quick),
        LOADER: lambda: torch_eager(2, options.quick),
        TUNED: lambda: torch_tuned(options.quick),
        FP32: lambda: shelfwise("fp32", options.quick),
        INT8: lambda: shelfwise("int8", options.quick),
        BARE: lambda: bare("fp32", 1, options.quick),
        BARE_TWO: lambda: bare("fp32", 2, options.quick),
        BARE_INT8: lambda: bare("int8", 2, options.quick),
    }
    steps: dict[Literal["steps of int8", "steps of fp32"], harness.Prepare] = {
        "steps of int8": lambda: breakdown("int8", options.quick),
        "steps of fp32": lambda: breakdown("fp32", options.quick),
    }
    if options.side:
        harness.serve((sides | steps)[options.side])
        return
    require_torch()
    on, turns = harness.machine(), options.turns or (3 if options.quick else 7)
    done = harness.alternate(__file__, list(sides), options, turns)
    own = harness.alternate(__file__, list(steps), options, turns)
    fastest_bare = min((done[BARE], done[BARE_TWO]), key=lambda side: side.median_s)
    ratios = [
        harness.ratio("shelfwise int8 over torch, Pillow", done[TORCH], done[INT8], 6),
        harness.ratio("shelfwise int8 over torch, Pillow, DataLoader", done[LOADER], done[INT8], 4),
        harness.ratio("shelfwise int8 over torch tuned, Pillow", done[TUNED], done[INT8], 4),
        harness.ratio(f"shelfwise int8 (from files) over {fastest_bare.name}", fastest_bare, done[INT8], 2),
        harness.ratio("shelfwise fp32 over torch, Pillow, DataLoader", done[LOADER], done[FP32], 1),
    ]
    notes = [
        f"{len(photos(options.quick))} photos of Grocery's test split, {THREADS} threads; {turns} turns a side, by turns.",
        f"torch: timm tf_efficientnet_lite0, inference_mode, batches of {TORCH_BATCH}; DataLoader with 2 workers.",
        f"torch tuned: channels last, batches of {OUR_BATCH}, two calls on one thread each.",
        "On a machine that is not free, the two untuned torch sides lose by spinning: believe their figures at load 0 only.",
        "`bare` gets squares that are decoded and resized already, so it is spared the steps before inference.",
        *(_steps_note(side) for side in own.values()),
    ]
    title = "From JPEG files to vectors, EfficientNet-Lite0"
    harness.write("embed", title, list(done.values()), ratios, notes, on=on, quick=options.quick)


def _steps_note(side: harness.Side) -> str:
    total = sum(side.facts.values())
    parts = ", ".join(f"{name.removesuffix(' ms')} {ms:.2f} ({ms / total:.0%})" for name, ms in side.facts.items())
    return f"{side.name}, processor milliseconds a photo on one thread: {parts}."


if __name__ == "__main__":
    main()
