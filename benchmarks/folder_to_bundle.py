"""All of Grocery, from the folder to an evaluated bundle, against the way of the torch tutorials. Needs torch.

Shelfwise: ingest, embed with lite0+lite1+lite2 in int8, train, evaluate with its report; the building of the int8
graphs, which happens once on a machine, is part of it and shown on its own. The other way (R3, apparel-transfer): the
same frozen networks run again in every one of 10 epochs on augmented photos (flip, shear, zoom), a linear layer on top
learns by Adam, the validation photos run after every epoch and the test photos once. One epoch is measured on a part
of the training photos and the whole is projected from it. Its accuracy is that of the same layer on vectors computed
once, without augmentation, at 10 epochs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import harness
from networks import require_torch, timm_lite

NETWORKS = {"lite0": 224, "lite1": 240, "lite2": 260}
EPOCHS, TORCH_BATCH, RATE = 10, 32, 1e-3
SHELFWISE, ONE, THREE = "shelfwise, lite0+1+2 int8", "torch epoch, lite0", "torch epoch, lite0+1+2"
PHOTOS_OF_AN_EPOCH = {False: 512, True: 96}
QUICK_STEP = 16  # a quick run takes every sixteenth photo of every list
SPLITS = ("train", "val", "test")


def listed(quick: bool) -> dict[str, list[tuple[Path, int]]]:
    """Photos and their fine labels by official split."""
    root = harness.DATA / "grocery" / "dataset"
    if not root.is_dir():
        sys.exit(f"the Grocery photos are not below {harness.DATA}: set SHELFWISE_DATA")
    lines = {split: (root / f"{split}.txt").read_text().splitlines() for split in SPLITS}
    taken = {split: of[:: QUICK_STEP if quick else 1] for split, of in lines.items()}
    rows = {split: [line.split(",") for line in of] for split, of in taken.items()}
    return {split: [(root / name.strip(), int(label)) for name, label, _ in of] for split, of in rows.items()}


def shelfwise(quick: bool) -> harness.Turn:
    """Walk from the folder to the report in an empty place, with an empty cache, at every turn."""
    from shelfwise.embed import embed
    from shelfwise.evaluate import evaluate
    from shelfwise.ingest import GrocerySource, ingest
    from shelfwise.options import EmbedOptions, EvaluateOptions
    from shelfwise.train import train

    def turn() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as name:
            place, seconds = Path(name), {}
            os.environ["SHELFWISE_CACHE"] = str(place / "cache")
            source = dataset_part(place / "grocery") if quick else harness.DATA / "grocery"
            catalog, bundle = place / "grocery.catalog", place / "grocery.bundle"
            with timed(seconds, "ingest s"):
                ingested = ingest(GrocerySource(source), catalog)
            with timed(seconds, "graphs s"):
                build_graphs()
            with timed(seconds, "embed s"):
                embed(catalog, EmbedOptions(backbone="+".join(NETWORKS), precision="int8"))
            with timed(seconds, "train s"):
                train(catalog, bundle)
            with timed(seconds, "evaluate s"):
                options = EvaluateOptions(split="test", allow_missing_classes=quick)
                metrics = evaluate(bundle, catalog, place / "report", options).metrics
            return {"photos": ingested.photos, "test right": accuracy_in(metrics)} | seconds

    return turn


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - started


def build_graphs() -> None:
    """Build the int8 graphs, which is done once on a machine."""
    from dataclasses import replace

    from shelfwise.backbones import parse_specs
    from shelfwise.backbones.graphs import graph_file

    for spec in parse_specs("+".join(NETWORKS)):
        graph_file(replace(spec, precision="int8"))


def accuracy_in(metrics: dict[str, Any]) -> float:
    return float(metrics["top1"]["value"])


def dataset_part(to: Path) -> Path:
    """Copy a part of Grocery's lists with the photos in it, and all that is not listed."""
    source, target = harness.DATA / "grocery" / "dataset", to / "dataset"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*SPLITS, *(f"{split}.txt" for split in SPLITS)))
    for split in SPLITS:
        lines = (source / f"{split}.txt").read_text().splitlines()[::QUICK_STEP]
        (target / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for photo in (line.split(",")[0].strip() for line in lines):
            (target / photo).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / photo, target / photo)
    return to


class Photos:
    """What a DataLoader reads: augmented or plain squares, one of every side in `sides_px`, and the label."""

    def __init__(self, rows: list[tuple[Path, int]], sides_px: list[int], *, augmented: bool) -> None:
        self.rows, self.sides_px, self.augmented = rows, sides_px, augmented

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[list[Any], int]:
        from torchvision.transforms import v2

        path, label = self.rows[row]
        image = Image.open(path).convert("RGB")
        if self.augmented:
            shear = float(np.degrees(0.2))
            image = v2.RandomAffine(degrees=0, scale=(0.8, 1.2), shear=(-shear, shear))(
                v2.RandomHorizontalFlip()(image)
            )
        return [self.square(image, side_px) for side_px in self.sides_px], label

    def square(self, image: Image.Image, side_px: int) -> Any:
        import torch

        pixels = np.array(image.resize((side_px, side_px), Image.Resampling.BICUBIC))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1


class FrozenNetworks:
    """Networks side by side, and a linear layer on their pooled vectors that learns."""

    def __init__(self, names: list[str]) -> None:
        import torch

        torch.manual_seed(0)
        self.networks = [timm_lite(name) for name in names]
        self.sides_px = [NETWORKS[name] for name in names]
        self.layer = torch.nn.Linear(1280 * len(names), 81)
        self.optimizer = torch.optim.Adam(self.layer.parameters(), lr=RATE)

    def loader(self, rows: list[tuple[Path, int]], *, augmented: bool) -> Any:
        import torch

        photos = Photos(rows, self.sides_px, augmented=augmented)
        return torch.utils.data.DataLoader(photos, batch_size=TORCH_BATCH, shuffle=augmented, num_workers=2)

    def vectors(self, pictures: list[Any]) -> Any:
        import torch

        with torch.no_grad():
            return torch.cat([network(x) for network, x in zip(self.networks, pictures, strict=True)], dim=1)

    def learn(self, x: Any, label: Any) -> None:
        import torch

        self.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(self.layer(x), label).backward()
        self.optimizer.step()


def torch_epoch(names: list[str], quick: bool) -> harness.Turn:
    require_torch()
    import torch

    torch.set_num_threads(2)
    splits, model = listed(quick), FrozenNetworks(names)
    step = max(1, len(splits["train"]) // PHOTOS_OF_AN_EPOCH[quick])
    part = splits["train"][::step]
    model.vectors([torch.zeros(2, 3, side_px, side_px) for side_px in model.sides_px])

    def turn() -> dict[str, Any]:
        started = time.perf_counter()
        for pictures, label in model.loader(part, augmented=True):
            model.learn(model.vectors(pictures), label)
        ms = (time.perf_counter() - started) * 1000 / len(part)
        passes = EPOCHS * (len(splits["train"]) + len(splits["val"])) + len(splits["test"])
        return {"photos": len(part), "ms a photo": ms, "photos in all": passes, "projected s": ms * passes / 1000}

    return turn


def torch_accuracy(names: list[str], quick: bool) -> float:
    """Share of the test photos that the layer gets right after 10 epochs on vectors of plain photos, computed once.

    The vectors are those of the fp32 graphs, which equal timm's to 1e-4 (tests/backbones): the same, sooner.
    """
    import torch

    from shelfwise.backbones import Extractor, parse_specs
    from shelfwise.engines import available_cores, map_ordered

    extractors = [Extractor(spec) for spec in parse_specs("+".join(names))]

    def vectors_of(rows: list[tuple[Path, int]]) -> Any:
        pictures = [path.read_bytes() for path, _ in rows]
        return torch.from_numpy(np.concatenate([extractor.vectors_of(pictures) for extractor in extractors], axis=1))

    def vectors_and_labels(rows: list[tuple[Path, int]]) -> tuple[Any, Any]:
        batches = [rows[start : start + 8] for start in range(0, len(rows), 8)]
        return torch.cat(list(map_ordered(vectors_of, batches, available_cores()))), torch.tensor([y for _, y in rows])

    splits, model = listed(quick), FrozenNetworks(names)
    (x, y), (fresh, truth) = vectors_and_labels(splits["train"]), vectors_and_labels(splits["test"])
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(TORCH_BATCH):
            model.learn(x[rows], y[rows])
    return float((model.layer(fresh).argmax(dim=1) == truth).float().mean())


def main() -> None:
    options = harness.arguments(__doc__)
    three = list(NETWORKS)
    sides: dict[str, harness.Prepare] = {
        SHELFWISE: partial(shelfwise, options.quick),
        ONE: partial(torch_epoch, three[:1], options.quick),
        THREE: partial(torch_epoch, three, options.quick),
    }
    if options.side:
        harness.serve(sides[options.side])
        return
    require_torch()
    on, turns = harness.machine(), options.turns or (1 if options.quick else 3)
    done = harness.alternate(__file__, list(sides), options, turns)
    ours = done[SHELFWISE].median_s
    for name, networks in ((ONE, three[:1]), (THREE, three)):
        done[name].facts["test right"] = torch_accuracy(networks, options.quick)
    ratios = [
        harness.Ratio("shelfwise over torch's 10 epochs, lite0+1+2", done[THREE].facts["projected s"] / ours, 20),
        harness.Ratio(
            "shelfwise (three networks) over torch's 10 epochs, lite0", done[ONE].facts["projected s"] / ours, 1
        ),
        harness.Ratio("4 minutes over shelfwise", 240 / ours, 1),
    ]
    notes = [
        "`projected s`: the measured milliseconds a photo times the photos that go through the networks in "
        f"{EPOCHS} epochs of train and val and one pass over test.",
        f"`test right` of torch: a linear layer on the vectors, Adam at {RATE:g}, batches of {TORCH_BATCH}, {EPOCHS} epochs, "
        "no augmentation; of shelfwise: the head of `train`, learned from the split train alone.",
        "The sides run by turns, each in its own process; `graphs s` falls away from the second run on a machine on.",
        "On a machine that is not free, torch loses by threads that wait spinning: believe these figures at load 0 only.",
    ]
    title = "From a folder of photos to an evaluated bundle"
    harness.write("folder_to_bundle", title, list(done.values()), ratios, notes, on=on, quick=options.quick)


if __name__ == "__main__":
    main()
