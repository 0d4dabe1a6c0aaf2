"""The sides of frameworks.py: the same small network learns in one of them, and says what it measured.

`python benchmarks/framework_sides.py SIDE` reads a job from standard input and writes one line of JSON: seconds of every epoch
with its validation, accuracy on the validation photos after each, and what the weights of the best epoch answer for the test
photos. Each side is written as its own documentation shows, with what its defaults leave open set to the same: network, initial
weights, AdamW, cosine schedule, flip, photos squashed by bicubic interpolation, as many threads and workers as there are cores.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness

Rows = list[tuple[str, int]]
MEAN = STD = 0.5
EPSILON = 1e-8  # torch's, of AdamW
WIDTHS, MAP, HIDDEN = (32, 64, 128), 4, 128


class Clock:
    """Marks where an epoch begins, and where the last one ends: seconds and processor seconds between the marks."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def mark(self) -> None:
        self.marks.append((time.monotonic(), harness.cpu_seconds()))

    def measured(self, called: float) -> dict[str, Any]:
        lasted = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(self.marks)]
        seconds, cpu_seconds = zip(*lasted, strict=True)
        return {"start_s": self.marks[0][0] - called, "epochs_s": seconds, "epochs_cpu_s": cpu_seconds}


def small_cnn(categories: int, side_px: int) -> Any:
    """Build shelfwise's small-cnn (networks/architectures/small_cnn.py) of torch's own modules."""
    from torch import nn

    stages = []
    for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
        stages += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    flat = WIDTHS[-1] * MAP**2
    last = side_px // 2 ** len(WIDTHS)
    pool = nn.AvgPool2d(last // MAP)
    return nn.Sequential(*stages, pool, nn.Flatten(), nn.Linear(flat, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, categories))


def shelfwise_side(job: dict[str, Any], precision: str) -> dict[str, Any]:
    """`shelfwise train CATALOG --network small-cnn`; the bundle answers, by ONNX Runtime."""
    from shelfwise.bundle import Bundle
    from shelfwise.options import NetworkOptions, TrainOptions
    from shelfwise.predict import predict
    from shelfwise.train import train

    clock = Clock()

    class Watched:
        """An epoch lasts until the next one begins, and the last one until the bundle is written."""

        @contextmanager
        def task(self, label: str, total: int | None, to_come: int = 0) -> Iterator[Any]:  # noqa: ARG002
            if label.startswith(("epoch", "write the bundle")):
                clock.mark()
            yield lambda _steps: None

    options = TrainOptions(
        network="small-cnn", learn_from="train", epochs=job["epochs"], optimizer="adamw", learning_rate=job["rate"]
    )
    how = NetworkOptions(
        start="random", side=str(job["side_px"]), augment="flip", schedule="cosine", batch=job["batch"],
        weight_decay=job["weight_decay"], label_smoothing=0.0, precision=precision, log="none", seed=job["seed"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as folder:
        to = Path(folder) / "small.bundle"
        facts = train(job["catalog"], to, options, how, progress=Watched()).facts
        answers = [told.answers[0][0] for told in predict(Bundle.load(to), [path for path, _ in job["test"]])]
    number = {category: place for place, category in enumerate(job["categories"])}
    curve = [row["held_accuracy"] for row in facts["network"]["curve"]]
    return {"clock": clock, "validation": curve, "test": [number[answer] for answer in answers]}


def fastai_side(job: dict[str, Any]) -> dict[str, Any]:
    """Use a DataBlock, ImageBlock, and Learner.fit with a callback for the schedule; batches augmented as tensors."""
    import torch
    from fastai.callback.schedule import ParamScheduler, SchedCos
    from fastai.callback.tracker import SaveModelCallback
    from fastai.data.all import CategoryBlock, DataBlock, IndexSplitter
    from fastai.data.transforms import Normalize
    from fastai.learner import Callback, Learner
    from fastai.metrics import accuracy
    from fastai.optimizer import OptimWrapper
    from fastai.vision.augment import Flip, Resize, ResizeMethod
    from fastai.vision.core import PILImage
    from fastai.vision.data import ImageBlock
    from PIL.Image import Resampling

    clock = Clock()

    class Watch(Callback):
        def before_epoch(self) -> None:
            clock.mark()

    torch.manual_seed(job["seed"])
    rows = job["train"] + job["validation"]
    squash = Resize(job["side_px"], ResizeMethod.Squish, resamples=(Resampling.BICUBIC, Resampling.NEAREST))
    block = DataBlock(
        (ImageBlock(PILImage), CategoryBlock(vocab=list(range(len(job["categories"]))))),
        get_x=lambda row: row[0], get_y=lambda row: row[1],
        splitter=IndexSplitter(list(range(len(job["train"]), len(rows)))), item_tfms=squash,
        batch_tfms=[Flip(0.5), Normalize.from_stats([MEAN] * 3, [STD] * 3)],
    )  # fmt: skip
    loaders = block.dataloaders(rows, bs=job["batch"], num_workers=len(os.sched_getaffinity(0)), drop_last=False)

    def adamw(groups: Any, lr: float) -> Any:
        return OptimWrapper(groups, torch.optim.AdamW, lr=lr, weight_decay=job["weight_decay"])

    with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as folder:
        network = small_cnn(len(job["categories"]), job["side_px"])
        learner = Learner(
            loaders, network, torch.nn.CrossEntropyLoss(), adamw, job["rate"], metrics=accuracy, path=folder
        )
        cosine = ParamScheduler({"lr": SchedCos(job["rate"], 0.0)})
        best = SaveModelCallback(monitor="accuracy")
        with learner.no_logging(), learner.no_bar():
            learner.fit(job["epochs"], cbs=[Watch(), cosine, best])
        clock.mark()
        validation = [float(values[-1]) for values in learner.recorder.values]
        with learner.no_bar():
            told, _ = learner.get_preds(dl=loaders.test_dl(job["test"]))
    return {"clock": clock, "validation": validation, "test": told.argmax(dim=1).tolist()}


def keras_side(job: dict[str, Any], backend: str) -> dict[str, Any]:
    """Model.fit over a PyDataset; the photos are flipped by a layer of the model."""
    os.environ["KERAS_BACKEND"] = backend
    import keras
    import numpy as np
    from keras import layers

    keras.utils.set_random_seed(job["seed"])
    side_px, batch = job["side_px"], job["batch"]
    keras.config.set_image_data_format("channels_first" if backend == "torch" else "channels_last")
    clock = Clock()

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            clock.mark()

    class Photos(keras.utils.PyDataset):
        def __init__(self, rows: Rows, shuffled: bool) -> None:
            super().__init__(workers=len(os.sched_getaffinity(0)))
            self.rows, self.shuffled, self.chance = rows, shuffled, np.random.default_rng(job["seed"])
            self.on_epoch_end()

        def __len__(self) -> int:
            return -(-len(self.rows) // batch)

        def on_epoch_end(self) -> None:
            self.order = self.chance.permutation(len(self.rows)) if self.shuffled else np.arange(len(self.rows))

        def __getitem__(self, step: int) -> tuple[Any, Any]:
            rows = [self.rows[k] for k in self.order[step * batch : (step + 1) * batch]]
            size = (side_px, side_px)
            pictures = [keras.utils.load_img(path, target_size=size, interpolation="bicubic") for path, _ in rows]
            return np.stack([keras.utils.img_to_array(each) for each in pictures]), np.array([y for _, y in rows])

    def uniform(inputs: int) -> dict[str, Any]:
        """Draw weights as torch does: uniform within 1 / sqrt(inputs)."""
        weights = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        return {
            "kernel_initializer": weights,
            "bias_initializer": keras.initializers.RandomUniform(-(inputs**-0.5), inputs**-0.5),
        }

    shape = (3, side_px, side_px) if backend == "torch" else (side_px, side_px, 3)
    stack: list[Any] = [keras.Input(shape), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 127.5, -1)]
    for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
        stack += [layers.Conv2D(outputs, 3, padding="same", activation="relu", **uniform(9 * inputs))]
        stack += [layers.MaxPooling2D(2)]
    flat = WIDTHS[-1] * MAP**2
    stack += [layers.AveragePooling2D(side_px // 2 ** len(WIDTHS) // MAP), layers.Flatten()]
    stack += [layers.Dense(HIDDEN, activation="relu", **uniform(flat))]
    stack += [layers.Dense(len(job["categories"]), **uniform(HIDDEN))]
    model = keras.Sequential(stack)
    train = Photos(job["train"], shuffled=True)
    rate = keras.optimizers.schedules.CosineDecay(job["rate"], job["epochs"] * len(train))
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=job["weight_decay"], epsilon=EPSILON),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as folder:
        file = f"{folder}/best.weights.h5"
        best = keras.callbacks.ModelCheckpoint(
            file, "val_accuracy", save_best_only=True, save_weights_only=True, mode="max"
        )
        held = Photos(job["validation"], shuffled=False)
        done = model.fit(
            train, validation_data=held, epochs=job["epochs"], callbacks=[Watch(), best], verbose=0, shuffle=False
        )
        clock.mark()
        model.load_weights(file)
    told = model.predict(Photos(job["test"], shuffled=False), verbose=0)
    return {"clock": clock, "validation": done.history["val_accuracy"], "test": told.argmax(axis=1).tolist()}


def torch_side(job: dict[str, Any]) -> dict[str, Any]:
    """Write the loop of timm's train.py plainly: DataLoader, timm's optimizer and schedule, torchvision's transforms."""
    import copy

    import timm.optim
    import timm.scheduler
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import transforms

    torch.manual_seed(job["seed"])
    size = (job["side_px"], job["side_px"])
    squash = transforms.Resize(size, transforms.InterpolationMode.BICUBIC)
    normalized = [transforms.ToTensor(), transforms.Normalize([MEAN] * 3, [STD] * 3)]

    class Photos(torch.utils.data.Dataset):
        def __init__(self, rows: Rows, *changes: Any) -> None:
            self.rows, self.change = rows, transforms.Compose([squash, *changes, *normalized])

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, row: int) -> tuple[Any, int]:
            path, label = self.rows[row]
            return self.change(Image.open(path).convert("RGB")), label

    def loader(rows: Rows, *changes: Any, shuffled: bool = False) -> Any:
        workers = len(os.sched_getaffinity(0))
        return DataLoader(Photos(rows, *changes), job["batch"], shuffle=shuffled, num_workers=workers)

    def answers(rows: Any) -> Any:
        network.eval()
        with torch.no_grad():
            return torch.cat([network(photos).argmax(dim=1) for photos, _ in rows])

    network = small_cnn(len(job["categories"]), job["side_px"])
    train = loader(job["train"], transforms.RandomHorizontalFlip(), shuffled=True)
    held, truth = loader(job["validation"]), torch.tensor([label for _, label in job["validation"]])
    optimizer = timm.optim.create_optimizer_v2(
        network, "adamw", job["rate"], job["weight_decay"], filter_bias_and_bn=False
    )
    schedule = timm.scheduler.CosineLRScheduler(optimizer, job["epochs"] * len(train), t_in_epochs=False)
    clock, curve, best = Clock(), [], {}
    step = 0
    for _ in range(job["epochs"]):
        clock.mark()
        network.train()
        for photos, labels in train:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(photos), labels).backward()
            optimizer.step()
            step += 1
            schedule.step_update(step)
        curve.append(float((answers(held) == truth).float().mean()))
        if curve[-1] > max(curve[:-1], default=-1.0):
            best = copy.deepcopy(network.state_dict())
    clock.mark()
    network.load_state_dict(best)
    return {"clock": clock, "validation": curve, "test": answers(loader(job["test"])).tolist()}


SIDES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "shelfwise": (lambda job: shelfwise_side(job, "fp32"), ("shelfwise", "torch")),
    "shelfwise, bf16": (lambda job: shelfwise_side(job, "bf16"), ("shelfwise", "torch")),
    "fastai": (fastai_side, ("fastai", "torch")),
    "Keras on torch": (lambda job: keras_side(job, "torch"), ("keras", "torch")),
    "Keras on JAX": (lambda job: keras_side(job, "jax"), ("keras", "jax")),
    "plain torch, timm's parts": (torch_side, ("timm", "torch", "torchvision")),
}
"""What runs each side, and the packages that it needs."""


def main() -> None:
    side, needed = SIDES[sys.argv[1]]
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get into the answer
    try:
        versions = {package: importlib.metadata.version(package) for package in needed}
    except importlib.metadata.PackageNotFoundError as missing:
        answer.write(json.dumps({"missing": missing.name}))
        return
    job = json.loads(sys.stdin.read())
    measured = side(job)
    measured |= measured.pop("clock").measured(job["called"]) | {"versions": versions}
    answer.write(json.dumps(measured))


if __name__ == "__main__":
    main()
