"""Learn a bundle from a catalog's embeddings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.backbones import FeatureLayout
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.products import ProductFeatures, embedded_layout, read_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.answers_table import answers_to_parquet
from shelfwise.catalog import Catalog
from shelfwise.errors import MissingExtraError, OptionError
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.train.estimates import Estimates, Judge, estimate
from shelfwise.train.golden import golden_pictures
from shelfwise.train.keep import kept_for_changes
from shelfwise.train.learned import LearnedClassifier
from shelfwise.train.members import learn_classifier
from shelfwise.train.origin import origin_of
from shelfwise.train.rows import group_products
from shelfwise.train.splits import VALIDATION, columns_for, has_validation
from shelfwise.train.together import learn_together

SEEN_BEFORE = (
    "{names}: a network that was trained on photos. Where those are of products learned from here, figures of products left out "
    "are too bright, since the network has seen them: believe a split called val that it was not trained on."
)


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What was learned and what to expect of it; `facts` are those of the bundle."""

    bundle: str
    bundle_id: str
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return {"bundle": self.bundle, "bundle_id": self.bundle_id} | self.facts


def train(
    catalog: Path | str,
    to: Path | str,
    options: TrainOptions | None = None,
    how: NetworkOptions | None = None,
    *,
    progress: Progress = SILENT,
    say: Callable[[str], None] = lambda _line: None,
) -> TrainSummary:
    """Learn a head on embedded photos, or a network on the photos themselves, or let bundles answer together; estimate that on
    held-out products, and write the bundle.

    how: of networks alone; say: takes a line of what is about to be done, before it starts. Raises CatalogError where the
    catalog lacks splits, embeddings or categories, OptionError where `to` exists, LossError where a network's loss is no number
    any more.
    """
    options, how = options or TrainOptions(), how or NetworkOptions()
    if Path(to).exists():
        raise OptionError(f"{to} exists already: choose another name with --to, or remove it first")
    if options.network is None and how.changed():
        raise OptionError(f"{how.changed()[0]} is for networks: name one, e.g. --network lite0")
    opened = Catalog(catalog)
    if options.network is not None:
        return _train_network(opened, Path(to), options, how, progress, say)
    if options.ensemble:
        together = learn_together(opened, options, progress).with_golden(golden_pictures())
        return TrainSummary(str(to), together.save(to), together.facts)
    layout = embedded_layout(opened, options.backbone)
    splits = options.learn_from.split("+")
    with progress.task(f"train {options.head}", 5) as advance:
        data = read_products(opened, layout, splits)
        columns = columns_for(data.categories, opened)
        validation = read_products(opened, layout, [VALIDATION]) if has_validation(opened, splits) else None
        advance(1)
        started = time.perf_counter()
        column = columns.of(data.categories)
        groups = group_products(data, column)
        advance(1)
        learned = learn_classifier(data, column, columns, groups, options, layout)
        advance(1)
        estimates = estimate(Judge(learned, data, column, columns, groups, validation))
        seconds = time.perf_counter() - started
        advance(1)
        facts = _facts(opened, options, data, learned, estimates) | {"seconds": round(seconds, 3)}
        facts["notes"] += _seen_before(layout, estimates)
        classifier = learned.calibrated(estimates.calibration, estimates.familiarity)
        bundle = Bundle(
            layout=layout, columns=columns, classifier=classifier, facts=facts,
            weights=_weights(layout), left_out_table=answers_to_parquet(estimates.left_out),
            held_out_table=answers_to_parquet(estimates.held_out),
            kept=kept_for_changes(learned, classifier, data, column, columns),
        )  # fmt: skip
        bundle_id = bundle.with_golden(golden_pictures()).save(to)
        advance(1)
    return TrainSummary(str(to), bundle_id, facts)


def _train_network(
    catalog: Catalog,
    to: Path,
    options: TrainOptions,
    how: NetworkOptions,
    progress: Progress,
    say: Callable[[str], None],
) -> TrainSummary:
    try:
        from shelfwise.train.network.run import train_network
    except ImportError as error:
        if (error.name or "").startswith("shelfwise"):
            raise
        raise MissingExtraError(f"{error.name} (networks are trained by torch)", "torch") from error
    bundle_id, facts = train_network(catalog, to, options, how, progress, say)
    return TrainSummary(str(to), bundle_id, facts)


def _seen_before(layout: FeatureLayout, estimates: Estimates) -> list[str]:
    """Tell of networks that may have learned from the very products that are left out here."""
    names = [spec.card.name for spec in layout.specs if spec.card.was_trained_here]
    return [] if not names or estimates.calibrated_on == "validation" else [SEEN_BEFORE.format(names=", ".join(names))]


def _weights(layout: FeatureLayout) -> dict[str, bytes]:
    """Read the weights of foreign backbones, which travel inside the bundle."""
    return {s.card.name: weights_file(s.card).read_bytes() for s in layout.specs if s.card.source != "package"}


def _facts(
    catalog: Catalog, options: TrainOptions, data: ProductFeatures, learned: LearnedClassifier, estimates: Estimates
) -> dict[str, Any]:
    counts = np.unique(data.categories, return_counts=True)[1]
    return {
        "options": asdict(options),
        "catalog": origin_of(catalog),
        "products": len(data),
        "photos": len(data.picture),
        "categories": len(counts),
        "smallest_category": int(counts.min()),
        "without_photo": data.without_photo,
        "without_category": data.without_category,
        "dimension": data.photos.shape[1],
        "members": [
            {"name": m.member.name, "weight": weight, "held_out_by": m.method} | m.facts
            for m, weight in zip(learned.members, learned.weights, strict=True)
        ],
        "calibration": estimates.calibration.stored(),
        "calibrated_on": estimates.calibrated_on,
        "estimates": estimates.figures,
        "notes": estimates.notes,
    } | learned.facts
