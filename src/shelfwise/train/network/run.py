"""Train a network on a catalog's photos and write it as a bundle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import nn

from shelfwise import __version__
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.images.preprocess import Preprocessing
from shelfwise.networks.find import Blueprint, find_network, new_network
from shelfwise.networks.stages import classifier_of, cut, weighted_layers
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.train.network.descent.losses import Loss, loss_of
from shelfwise.train.network.descent.rate_finder import RateSearch, find_rate, kept_search
from shelfwise.train.network.descent.rate_picture import draw_rates
from shelfwise.train.network.descent.trained_part import TrainedPart, trained_part
from shelfwise.train.network.facts import facts_of
from shelfwise.train.network.inputs.augment import Augmentation
from shelfwise.train.network.inputs.cache import Cached, cache_of, digest_of, fill, remove_others, trunk_of, view_files
from shelfwise.train.network.inputs.resizing import refuse_sides
from shelfwise.train.network.inputs.samples import HeldSamples, PhotoSamples, Samples
from shelfwise.train.network.judging.held_out import HeldOut, HeldOutAttributes
from shelfwise.train.network.lesson import Lesson, read_lesson
from shelfwise.train.network.loop import Loop, Material
from shelfwise.train.network.network_file import figures_of, refuse_name, write_network_file
from shelfwise.train.network.plan import cache_line, cycle_line, network_line, plan_of, rate_line
from shelfwise.train.network.result import bundle_of
from shelfwise.train.network.run_log import open_log
from shelfwise.train.network.safety.checkpoints import Checkpoint, Checkpoints, Origin
from shelfwise.train.network.safety.guards import memory_told, refuse_unusable
from shelfwise.train.network.safety.processes import Processes, new_accelerator
from shelfwise.train.network.safety.stopping import StopSignals
from shelfwise.train.network.settings import Settings, settle
from shelfwise.train.network.start import start_network
from shelfwise.train.network.state import State


def train_network(
    catalog: Catalog,
    to: Path,
    options: TrainOptions,
    how: NetworkOptions,
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[str, dict[str, Any]]:
    """Train, write the bundle, and return its id and facts; stopped at any moment, the same call goes on.

    say: takes a line of what is about to be done. Raises what `train` does.
    """
    started = time.perf_counter()
    blueprint = find_network(options.network or "")
    settings = settle(options, how, blueprint)
    refuse_name(to, settings.learn)
    lesson = read_lesson(catalog, options.learn_from.split("+"), settings.learn)
    network = new_network(blueprint, len(lesson.names), settings.dropout, settings.seed)
    begun = start_network(network, blueprint, settings.start, how.accept_license)
    blueprint, settings = replace(blueprint, license=begun.license), replace(settings, start_sha256=begun.digest)
    folder = to.with_name(f"{to.name}.training")
    name = to.with_name(_name_of(to))
    refuse_unusable(lesson.learned, lesson.held, len(lesson.names))
    accelerator = new_accelerator()
    if not accelerator.is_main_process:
        progress, say = SILENT, lambda _line: None
    say(begun.line)
    with StopSignals() as signals, memory_told(settings.batch, settings.sides_px[-1]):
        run = _Run(network, blueprint, settings, lesson, folder, name, how, accelerator, signals, progress, say)
        state = run.train()
        facts = facts_of(catalog, options, how, run.settings, lesson, state, network)
        facts["network"] |= run.facts | begun.to_dict()
        facts["notes"] += run.notes
        facts["seconds"] = round(time.perf_counter() - started, 3)
        write = partial(_write, run, lesson, catalog, to, facts, progress)
        return Processes(accelerator).from_main(write)


def _write(
    run: _Run, lesson: Lesson, catalog: Catalog, to: Path, facts: dict[str, Any], progress: Progress
) -> tuple[str, dict[str, Any]]:
    """Write what was learned, remove the state of the run, and return id and facts."""
    settings, network, blueprint = run.settings, run.network, run.blueprint
    judge = run.held(settings.sides_px[-1])
    if isinstance(judge, HeldOutAttributes):
        figures = figures_of(judge.probabilities(run.trained), lesson.held)
        facts["estimates"], threshold = {facts["calibrated_on"]: figures}, figures["threshold"]
        written = write_network_file(network, blueprint, settings, lesson.names, threshold, to)
    else:
        with progress.task("write the bundle", 1) as advance:
            columns = Columns(lesson.names, catalog.taxonomy)
            told = judge.log_probabilities(run.trained)
            bundle = bundle_of(
                network, blueprint, settings, columns, lesson.learned, lesson.held, told, _name_of(to), facts
            )
            written, facts = bundle.save(to), bundle.facts
            advance(1)
    shutil.rmtree(run.folder)
    return written, facts


class _Run:
    """One training: what it learns from, and the part of the network that learns.

    folder: its state until it is done; name: what the files begin with that stay beside the bundle; settings: with the learning
    rate that was found, where one was sought.
    """

    def __init__(
        self, network: nn.Module, blueprint: Blueprint, settings: Settings, lesson: Lesson, folder: Path,
        name: Path, how: NetworkOptions, accelerator: Accelerator, signals: StopSignals, progress: Progress,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.network, self.blueprint, self.settings = network, blueprint, settings
        self._name, self._say = name, say
        self._learned, self._held_photos = lesson.learned, lesson.held
        self.folder, self._how, self._progress = folder, how, progress
        self._accelerator, self._signals, self._categories = accelerator, signals, lesson.names
        self._part = trained_part(network, settings.tune)
        self.trained = network
        self._of_side: Callable[[int], tuple[Samples, Samples]] = self._samples
        plan = plan_of(network, self._part, len(lesson.learned), settings)
        for line in filter(None, (network_line(plan, settings), cycle_line(settings))):
            say(line)
        self.facts: dict[str, Any] = plan.to_dict()

    def train(self) -> State:
        """Train, and leave the best weights in the network."""
        origin = self._origin()
        checkpoints = Checkpoints(self.folder / "checkpoints", origin, self._how.accept_changes)
        found = self._last_of(checkpoints)
        sides_px = self.settings.sides_px
        refuse_sides(self.network, sides_px)
        if self.settings.finetune:
            cached = self._cached(*self._samples(sides_px[-1]))
            self._of_side = lambda _side_px: cached
        column = self._learned.column_of_photo
        loss = loss_of(self.settings, column, classifier_of(self.network)[1].out_features)
        if self._how.find_rate:
            self._find_rate(self._of_side(sides_px[0])[0], column, loss, origin.described()["settings"])
        with closing(open_log(self._how.log if self._accelerator.is_main_process else "none", self._name)) as log:
            loop = Loop(
                self.trained.to(self._accelerator.device), self._part, self.settings,
                Material(lambda side_px: self._of_side(side_px)[0], column, self.held, self._learned.image_ids), loss,
                checkpoints, self._accelerator, log, self._how.checkpoint_minutes * 60, self._signals,
            )  # fmt: skip
            state = loop.run(found, self._progress)
        self.facts["log"] = log.path.name if log.path else None
        if self.trained is not self.network:
            self.network.load_state_dict(self.trained.state_dict(), strict=False)
        return state

    def _origin(self) -> Origin:
        """Say what the run is made of; a learning rate that is searched is no setting, but one of its results."""
        settings = self.settings.to_dict()
        if self._how.find_rate:
            del settings["rate"]
        photos = np.concatenate([self._learned.digests("learned from"), self._held_photos.digests("held out")])
        machine = {
            "torch": torch.__version__, "threads": torch.get_num_threads(), "processes": self._accelerator.num_processes,
            "device": self._accelerator.device.type,
        }  # fmt: skip
        return Origin(settings, tuple(self._categories), photos, machine)

    def _last_of(self, checkpoints: Checkpoints) -> Checkpoint | None:
        """Return where a stopped run is to go on, and say so."""
        found = checkpoints.last()
        self.notes = checkpoints.notes
        for note in self.notes:
            self._say(f"note: {note}")
        if found is not None:
            self._say(f"going on from epoch {found.values['epoch'] + 1}, step {found.values['step'] + 1}")
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            checkpoints.tidy()
        return found

    def _find_rate(self, samples: Samples, column: NDArray[np.int32], loss: Loss, made_of: dict[str, Any]) -> None:
        """Search a learning rate, or take the one that this run found before it was stopped."""
        picture = self._name.with_name(f"{self._name.name}.rates.svg")

        def search() -> RateSearch:
            found = find_rate(
                self.trained, self._part, self.settings, samples, column, loss, self._accelerator.device, self._progress
            )
            draw_rates(found, picture)
            return found

        with self._accelerator.main_process_first():
            found = kept_search(self.folder / "rate.json", made_of, search)
        self.settings = replace(self.settings, rate=found.rate)
        self.facts["rate_search"] = found.to_dict()
        self._say(rate_line(found.rate, picture.name))

    def held(self, side_px: int) -> HeldOut | HeldOutAttributes:
        """Return the held-out products with photos of a side in pixels."""
        judge = HeldOutAttributes if self.settings.learn == "attributes" else HeldOut
        return judge(self._of_side(side_px)[1], self._held_photos, self._accelerator.device)

    def _samples(self, side_px: int) -> tuple[Samples, Samples]:
        settings, mean, std = self.settings, self.blueprint.mean, self.blueprint.std
        augmentation = Augmentation(settings.changes, settings.fit, side_px)
        served = Preprocessing(side_px, settings.fit)
        return (
            PhotoSamples(self._learned, augmentation, mean, std, settings.seed),
            HeldSamples(self._held_photos, served, mean, std),
        )

    def _cached(self, samples: Samples, held: Samples) -> tuple[Samples, Samples]:
        """Cut the network, compute the activations in front of the cut, and go on with what is behind it."""
        settings, side_px = self.settings, self.settings.sides_px[-1]
        layer = self._part.layers[self._part.first]
        front, self.trained = cut(self.network, self._part.stages, self._part.first_stage, side_px)
        layers = weighted_layers(self.trained)
        self._part = TrainedPart(self._part.stages, layers, layers.index(layer))
        trunk = trunk_of(front, side_px, self._progress)
        size = trunk.row_bytes * (settings.views * len(samples) + len(held))
        self._say(cache_line(settings.views, len(samples), len(held), trunk.shape, size))
        of_learned, of_held = self._cache_folders(digest_of(front))
        if self._accelerator.is_main_process:
            told = f"compute {settings.views} views"
            fill(trunk, samples, self._learned.image_ids, of_learned, settings.views, self._progress, told)
            fill(trunk, held, self._held_photos.image_ids, of_held, 1, self._progress, "compute the held-out photos")
        self._accelerator.wait_for_everyone()
        views, view = view_files(of_learned, settings.views), view_files(of_held, 1)
        return Cached(views, trunk.shape, settings.seed), Cached(view, trunk.shape, settings.seed)

    def _cache_folders(self, front: str) -> tuple[Path, Path]:
        """Name the folders of the activations, which depend on nothing but what decides what the frozen part sees."""
        settings, above = self.settings, Path(self._how.cache or self.folder / "cache")
        seen = {
            "front": front, "side_px": settings.sides_px[-1], "fit": settings.fit, "mean": self.blueprint.mean,
            "std": self.blueprint.std, "shelfwise": __version__,
        }  # fmt: skip
        changed = {"photos": self._learned.picture_digest, "changes": repr(settings.changes), "seed": settings.seed}
        folders = cache_of(above, seen | changed), cache_of(above, seen | {"photos": self._held_photos.picture_digest})
        if not self._how.cache and self._accelerator.is_main_process:
            remove_others(above, set(folders))
        return folders


def _name_of(to: Path) -> str:
    return to.name.removesuffix(".zip").removesuffix(".bundle").removesuffix(".onnx") or "network"
