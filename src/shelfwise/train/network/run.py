"""Train a network on a catalog's photos and write it as a bundle."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.images.preprocess import Preprocessing
from shelfwise.networks.export import to_onnx
from shelfwise.networks.find import Blueprint, find_network, new_network
from shelfwise.networks.stages import classifier_of, cut, weighted_layers
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.progress import Progress
from shelfwise.train.network.augment import Augmentation
from shelfwise.train.network.cache import Cached, Trunk, fill
from shelfwise.train.network.checkpoints import Checkpoints
from shelfwise.train.network.held_out import HeldOut
from shelfwise.train.network.loop import Loop, Material, State
from shelfwise.train.network.losses import CategoryLoss
from shelfwise.train.network.photos import Photos, held_apart, read_photos
from shelfwise.train.network.result import bundle_of
from shelfwise.train.network.samples import HeldSamples, PhotoSamples, Samples
from shelfwise.train.network.settings import Settings, settle
from shelfwise.train.network.trained_part import TrainedPart, trained_part
from shelfwise.train.splits import VALIDATION, columns_for, has_validation

_HELD_BATCH = 64


def train_network(
    catalog: Catalog, to: Path, options: TrainOptions, how: NetworkOptions, progress: Progress
) -> tuple[str, dict[str, Any]]:
    """Train, write the bundle, and return its id and facts; stopped at any moment, the same call goes on.

    Raises what `train` does.
    """
    started = time.perf_counter()
    blueprint = find_network(options.network or "")
    settings = settle(options, how, blueprint)
    columns, learned, held = _photos(catalog, options.learn_from.split("+"))
    network = new_network(blueprint, len(columns), settings.dropout, settings.seed)
    if settings.start == "pretrained" and blueprint.load is not None:
        blueprint.load(network)
    folder = to.with_name(f"{to.name}.training")
    made_of = settings.to_dict() | {
        "learned from": learned.digest, "held out": held.digest, "torch": torch.__version__, "threads": torch.get_num_threads(),
    }  # fmt: skip
    run = _Run(network, blueprint, settings, learned, held, folder, how, progress)
    state = run.train(columns, made_of)
    told = run.held.log_probabilities(run.trained)
    facts = _facts(catalog, options, how, settings, learned, held, columns, state, network)
    facts["seconds"] = round(time.perf_counter() - started, 3)
    with progress.task("write the bundle", 1) as advance:
        bundle = bundle_of(network, blueprint, settings, columns, learned, held, told, _name_of(to), facts)
        bundle_id = bundle.save(to)
        advance(1)
    shutil.rmtree(folder)
    return bundle_id, bundle.facts


class _Run:
    """One training: what it learns from, and the part of the network that learns."""

    def __init__(
        self, network: nn.Module, blueprint: Blueprint, settings: Settings, learned: Photos, held: Photos, folder: Path,
        how: NetworkOptions, progress: Progress,
    ) -> None:  # fmt: skip
        self._network, self._blueprint, self._settings = network, blueprint, settings
        self._learned, self._held_photos, self._folder, self._how, self._progress = learned, held, folder, how, progress
        self._accelerator = Accelerator(cpu=not torch.cuda.is_available())
        self._part = trained_part(network, settings.tune)
        self.trained = network

    def train(self, columns: Columns, made_of: dict[str, Any]) -> State:
        """Train, and leave the best weights in the network."""
        samples, held_samples = self._samples()
        if self._settings.finetune:
            samples, held_samples = self._cached(samples, held_samples, made_of)
        device = self._accelerator.device
        self.held = HeldOut(held_samples, self._held_photos.product, self._held_photos.column, _HELD_BATCH, device)
        column = self._learned.column_of_photo
        counts = np.bincount(column, minlength=len(columns))
        loss = CategoryLoss(counts, self._settings.label_smoothing, self._settings.class_weights)
        loop = Loop(
            self.trained.to(device), self._part, self._settings,
            Material(samples, column, self.held, self._learned.image_ids), loss,
            Checkpoints(self._folder / "checkpoints", made_of), self._accelerator, lambda _row: None,
            self._how.checkpoint_minutes * 60,
        )  # fmt: skip
        state = loop.run(self._progress)
        if self.trained is not self._network:
            self._network.load_state_dict(self.trained.state_dict(), strict=False)
        return state

    def _samples(self) -> tuple[Samples, Samples]:
        settings, mean, std = self._settings, self._blueprint.mean, self._blueprint.std
        augmentation = Augmentation(settings.changes, settings.fit, settings.sides_px[-1])
        served = Preprocessing(settings.sides_px[-1], settings.fit)
        return (
            PhotoSamples(self._learned, augmentation, mean, std, settings.seed),
            HeldSamples(self._held_photos, served, mean, std),
        )

    def _cached(self, samples: Samples, held: Samples, made_of: dict[str, Any]) -> tuple[Samples, Samples]:
        """Cut the network, compute the activations in front of the cut, and go on with what is behind it."""
        settings, progress, folder = self._settings, self._progress, self._folder / "cache"
        layer = self._part.layers[self._part.first]
        trunk, self.trained = cut(self._network, self._part.stages, self._part.first_stage)
        layers = weighted_layers(self.trained)
        self._part = TrainedPart(self._part.stages, layers, layers.index(layer))
        with torch.no_grad():
            shape = tuple(trunk(torch.zeros(1, 3, settings.sides_px[-1], settings.sides_px[-1])).shape[1:])
        with progress.task("write the frozen part as ONNX", 1) as advance:
            graph = Trunk(to_onnx(trunk, settings.sides_px[-1], "activations"), shape)
            advance(1)
        size = graph.size_bytes * (settings.views * len(samples) + len(held)) / 2**20
        told = f"compute {settings.views} views, {size:,.0f} MiB on disk"
        files = fill(graph, samples, settings.views, lambda view: folder / f"view-{view}.f16", made_of, progress, told)
        of_held = fill(graph, held, 1, lambda _: folder / "held.f16", made_of, progress, "compute the held-out photos")
        return Cached(files, shape, settings.seed), Cached(of_held, shape, settings.seed)


def _photos(catalog: Catalog, splits: list[str]) -> tuple[Columns, Photos, Photos]:
    """Read what is learned from, and what it is held against: the validation split, or else a tenth of the products."""
    from shelfwise.backbones.products import filed_products

    columns = columns_for(filed_products(catalog, splits)[0].column("category").to_pylist(), catalog)
    learned = read_photos(catalog, splits, columns)
    if has_validation(catalog, splits):
        return columns, learned, read_photos(catalog, [VALIDATION], columns)
    return columns, *held_apart(learned)


def _facts(
    catalog: Catalog, options: TrainOptions, how: NetworkOptions, settings: Settings, learned: Photos, held: Photos,
    columns: Columns, state: State, network: nn.Module,
) -> dict[str, Any]:  # fmt: skip
    counts = np.bincount(learned.column, minlength=len(columns))
    validated = has_validation(catalog, options.learn_from.split("+"))
    held_by = "the validation split" if validated else "a tenth of the products"
    return {
        "options": asdict(options) | {"network_options": asdict(how)},
        "catalog": {
            "name": catalog.path.name,
            "versions": catalog.versions,
            "sources": list(catalog.description.snapshot.sources),
        },
        "dimension": classifier_of(network)[1].in_features,
        "members": [{"name": settings.network, "weight": 1.0, "held_out_by": held_by}],
        "products": len(learned.product_ids), "photos": len(learned), "categories": len(columns),
        "smallest_category": int(counts.min()), "held_out_products": len(held.product_ids),
        "network": json.loads(json.dumps(settings.to_dict())) | {
            "curve": state.curve, "best_epoch": state.best + 1, "training_seconds": round(state.seconds, 1),
        },
        "notes": [],
    }  # fmt: skip


def _name_of(to: Path) -> str:
    return to.name.removesuffix(".zip").removesuffix(".bundle") or "network"
