"""Let bundles that were learned before answer together, weighed on products that none of them learned from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.cards import BackboneSpec
from shelfwise.backbones.features import FeatureLayout
from shelfwise.backbones.products import ProductFeatures, filed_products, read_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.answers_table import answers_to_parquet
from shelfwise.bundle.members import PRODUCT_IDS, content_of
from shelfwise.bundle.own_vectors import compute_own_vectors
from shelfwise.bundle.product_ids import product_ids_to_parquet
from shelfwise.catalog import Catalog
from shelfwise.classifiers.classifier import Classifier, combined
from shelfwise.classifiers.familiarity import Familiarity
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.parts import Parts, placed
from shelfwise.columns import Columns
from shelfwise.errors import CatalogError, LabelMismatchError, OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.options import TrainOptions
from shelfwise.progress import Progress
from shelfwise.train.calibrate import cross_calibrated
from shelfwise.train.ensemble import Stack, stack_of
from shelfwise.train.origin import origin_of
from shelfwise.train.splits import VALIDATION, has_validation

VALIDATION_WAY = "validation"
FEWEST = 50
"""Products that weights and calibration are fitted on, at least; a choice, not a measurement."""
CHOSEN_HERE = (
    "Weights and calibration were fitted on these {products:,} products, and networks kept the epoch that answered them best: a "
    "split that nothing was chosen on, such as test, is the judge."
)


@dataclass(frozen=True, eq=False)
class _Voice:
    """A bundle with its name and the slices of the common feature vector that are its own."""

    name: str
    bundle: Bundle
    slices: Parts

    def log_probabilities(self, data: ProductFeatures) -> NDArray[np.float32]:
        """Return what it says of products, (p, c), before its calibration."""
        classifier = self.bundle.classifier
        told = [m.log_probabilities(data.photos, data.product, len(data)) for m in self.members]
        return combined(told, classifier.weights)

    @property
    def members(self) -> list[Member]:
        """Its members, each looking at its place in the common feature vector."""
        members = self.bundle.classifier.members
        return [replace(m, name=f"{self.name}: {m.name}", parts=placed(m.parts, self.slices)) for m in members]

    @property
    def familiarity(self) -> Familiarity | None:
        """How familiar products look to it, if it can tell."""
        known = self.bundle.classifier.familiarity
        return None if known is None else replace(known, parts=placed(known.parts, self.slices))


def learn_together(catalog: Catalog, options: TrainOptions, progress: Progress) -> Bundle:
    """Weigh bundles by their answers about the validation split; return the one that they make, without golden images.

    Raises OptionError for fewer than two bundles or two of one name, LabelMismatchError where their categories differ,
    CatalogError where too few products are left that none of them learned from.
    """
    started = time.perf_counter()
    bundles = _loaded(options.ensemble)
    columns = _common_columns(bundles)
    learned = np.unique(np.concatenate([b.learned_product_ids().astype(np.str_) for b in bundles.values()]))
    _refuse_without_validation(catalog)
    for bundle in bundles.values():
        compute_own_vectors(bundle, catalog, filed_products(catalog, [VALIDATION])[0], VALIDATION, progress)
    with progress.task("weigh the bundles", len(bundles) + 1) as advance:
        voices = _voices(bundles)
        data = _held_out(read_products(catalog, _layout(bundles), [VALIDATION]), learned, columns)
        columns.refuse_renamed(sorted(set(data.categories)), catalog.taxonomy, "the bundles", "the catalog")
        truth, tables = columns.of(data.categories), []
        for voice in voices:
            tables.append(voice.log_probabilities(data))
            advance(1)
        stack = stack_of(list(bundles), tables, truth, VALIDATION_WAY)
        told = combined([tables[place] for place in stack.kept], stack.weights)
        chosen = {voices[place].name: voices[place].bundle for place in stack.kept}
        familiarity = _familiarity([voices[place] for place in stack.kept], _voices(chosen), data, told)
        bundle = _bundle_of(chosen, stack, told, familiarity, data.product_ids.astype(np.str_), truth, columns)
        advance(1)
    facts = _facts(catalog, options, chosen, stack, learned, len(data)) | bundle.facts
    facts["seconds"] = round(time.perf_counter() - started, 3)
    kept = {PRODUCT_IDS: content_of(product_ids_to_parquet(learned.astype(np.object_)))}
    return replace(bundle, facts=facts, kept=kept)


def _loaded(paths: Sequence[Path]) -> dict[str, Bundle]:
    names = [path.name.removesuffix(".zip").removesuffix(".bundle") for path in paths]
    if len(set(names)) < max(len(paths), 2):
        raise OptionError("--ensemble: name at least two bundles, of different names")
    return {name: Bundle.load(path) for name, path in zip(names, paths, strict=True)}


def _common_columns(bundles: dict[str, Bundle]) -> Columns:
    """Return the categories that all bundles answer with; raises LabelMismatchError where they differ."""
    (first, one), *others = bundles.items()
    for name, other in others:
        if set(one.categories) != set(other.categories):
            lone = sorted(set(one.categories) ^ set(other.categories))
            raise LabelMismatchError(
                f"{first} knows {len(one.categories)} categories, {name} {len(other.categories)}, and {len(lone)} are known to "
                f"one of them alone: {', '.join(lone[:8])}{' ...' if len(lone) > 8 else ''}; let both learn from the same splits"
            )
        other.columns.refuse_renamed(one.categories, one.taxonomy, name, first)
        if one.columns.level_nodes != other.columns.level_nodes or one.categories != other.categories:
            raise LabelMismatchError(
                f"{first} and {name} have the same categories in different trees: learn one of them anew"
            )
    return one.columns


def _refuse_without_validation(catalog: Catalog) -> None:
    if not has_validation(catalog, []):
        raise CatalogError(
            f"an ensemble is weighed on the split {VALIDATION}, which {catalog.path} lacks: see  shelfwise split, and let "
            "the bundles learn from train"
        )


def _layout(bundles: Mapping[str, Bundle]) -> FeatureLayout:
    """Put the backbones of bundles side by side, each once; raises OptionError for different ones of one name."""
    specs: list[BackboneSpec] = []
    for spec in (spec for bundle in bundles.values() for spec in bundle.layout.specs):
        if spec not in specs:
            specs.append(spec)
    digests: dict[str, str] = {}
    for card in (spec.card for spec in specs):
        if digests.setdefault(card.name, card.sha256) != card.sha256:
            raise OptionError(
                f"--ensemble: two networks are called {card.name!r}: train one of them under another name"
            )
    return FeatureLayout(tuple(specs))


def _voices(bundles: Mapping[str, Bundle]) -> list[_Voice]:
    layout = _layout(bundles)
    stops = np.cumsum([sum(spec.widths) for spec in layout.specs]).tolist()
    slices = list(zip([0, *stops[:-1]], stops, strict=True))
    return [
        _Voice(name, bundle, tuple(slices[layout.specs.index(spec)] for spec in bundle.layout.specs))
        for name, bundle in bundles.items()
    ]


def _held_out(data: ProductFeatures, learned: NDArray[np.str_], columns: Columns) -> ProductFeatures:
    """Return the products that no bundle learned from and whose category they know; raises CatalogError for too few."""
    seen = np.isin(data.product_ids.astype(np.str_), learned)
    kept = np.flatnonzero(~seen & (columns.of(data.categories) >= 0))
    if len(kept) < FEWEST:
        raise CatalogError(
            f"an ensemble is weighed on products that none of its bundles learned from: of the {len(data)} in {VALIDATION} they "
            f"learned from {seen.sum()}, and {len(kept)} are left, {FEWEST} are needed; let them learn from train alone"
        )
    return data.take(kept)


def _familiarity(
    asked: Sequence[_Voice], placed_anew: Sequence[_Voice], data: ProductFeatures, told: NDArray[np.float32]
) -> Familiarity | None:
    """Let the first bundle that can tell say how familiar products look, beside what all say together.

    asked: those that have weight, on the features of `data`; placed_anew: the same on those that stay.
    """
    for voice, now in zip(asked, placed_anew, strict=True):
        if voice.familiarity is not None and now.familiarity is not None:
            return now.familiarity.compared_with(voice.familiarity.scores(data.x, told.max(axis=1)))
    return None


def _bundle_of(
    bundles: Mapping[str, Bundle], stack: Stack, told: NDArray[np.float32], familiarity: Familiarity | None,
    product_ids: NDArray[np.str_], truth: NDArray[np.int32], columns: Columns,
) -> Bundle:  # fmt: skip
    """Put bundles together that have weight; told: (p, c) what they say together of the held-out products."""
    voices, each = _voices(bundles), np.arange(len(told))
    weighed = [
        (member, weight * own)
        for voice, weight in zip(voices, stack.weights, strict=True)
        for member, own in zip(voice.members, voice.bundle.classifier.weights, strict=True)
    ]
    crossed = cross_calibrated(told, truth, columns, each, each)
    members, weights = zip(*weighed, strict=True)
    classifier = Classifier(members, weights, crossed.calibration, familiarity)
    answers = Answers.from_probabilities(product_ids, truth, crossed.apply(told, columns, each), columns)
    layout = _layout(bundles)
    return Bundle(
        layout=layout, columns=columns, classifier=classifier,
        facts={
            "calibration": crossed.calibration.stored(), "calibrated_on": VALIDATION_WAY,
            "estimates": {VALIDATION_WAY: score(answers, resamples=0).to_dict()},
        },
        weights={name: file for bundle in bundles.values() for name, file in bundle.weights.items()},
        held_out_table=answers_to_parquet(answers),
        left_out_table=answers_to_parquet(answers.take(np.zeros(len(answers), np.bool_))),
    )  # fmt: skip


def _facts(
    catalog: Catalog,
    options: TrainOptions,
    bundles: Mapping[str, Bundle],
    stack: Stack,
    learned: NDArray[np.str_],
    judged: int,
) -> dict[str, Any]:
    told = [bundle.facts for bundle in bundles.values()]
    splits = {split: None for facts in told for split in facts["options"]["learn_from"].split("+")}
    return {
        "options": asdict(options) | {"ensemble": [str(path) for path in options.ensemble], "learn_from": "+".join(splits)},
        "catalog": origin_of(catalog),
        "products": len(learned), "photos": max(facts["photos"] for facts in told),
        "categories": max(facts["categories"] for facts in told), "held_out_products": judged,
        "dimension": _layout(bundles).dimension,
        "members": [
            {"name": name, "weight": weight, "held_out_by": "the validation split", "contribution": contribution}
            for name, weight, contribution in zip(bundles, stack.weights, stack.contributions, strict=True)
        ],
        "ensemble": stack.facts, "notes": [CHOSEN_HERE.format(products=judged)],
    }  # fmt: skip
