"""Gather what the HTML report shows: figures, photos, and how the bundle was made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shelfwise.backbones.products import ProductFeatures
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.evaluate.metrics import SEEN
from shelfwise.evaluate.report.assemble import report_data
from shelfwise.evaluate.report.data import FactGroup, Note
from shelfwise.evaluate.report.render import render
from shelfwise.images.decode import decode
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores
from shelfwise.options import EvaluateOptions
from shelfwise.page.thumbnails import thumbnail


def report_page(
    bundle: Bundle,
    catalog: Catalog,
    data: ProductFeatures,
    answers: Answers,
    scores: Scores,
    metrics: dict[str, Any],
    options: EvaluateOptions,
) -> str:
    """Render the report of one evaluation, whose metrics.json holds `metrics`, as one HTML page."""
    left_out = bundle.facts["estimates"].get("leave_one_out")
    return render(
        report_data(
            answers,
            answers.columns.taxonomy,
            scores,
            metrics=metrics,
            learned=bundle.facts,
            title=f"{catalog.path.name.removesuffix('.catalog')}, split {options.split}",
            subtitle=f"{len(data):,} products in {len(set(data.categories)):,} categories, answered by bundle {bundle.id}",
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            command=_command(catalog, options),
            photo=_photos(catalog, data),
            leave_one_out=None if left_out is None else Scores.from_dict(left_out),
            notes=_notes(bundle, metrics, options),
            facts=_facts(bundle, catalog, data),
        )
    )


def _notes(bundle: Bundle, metrics: dict[str, Any], options: EvaluateOptions) -> list[Note]:
    if metrics["products_learned_from"]:
        seen = SEEN.format(seen=metrics["products_learned_from"], all=metrics["products"])
        return [Note("warning", "The bundle knows these products", seen)]
    if (bundle.facts["calibrated_on"], options.split) != ("validation", "val"):
        return []
    is_stacked_here = bundle.facts.get("ensemble", {}).get("held_out_by") == "validation"
    if "network" in bundle.facts or is_stacked_here:
        chosen = "How much each bundle has to say" if is_stacked_here else "The epoch whose weights were kept"
        text = (
            f"{chosen}, the calibration, and thresholds for --max-error were chosen on this very split: "
            "all figures look a little better than they will elsewhere. Judge them on another split."
        )
        return [Note("info", "These products chose the weights", text)]
    text = (
        "The bundle's calibration, and thresholds for --max-error, were set on this very split. Accuracy is honest here; "
        "calibration errors and answers that stop look better than they will elsewhere. Judge those on another split."
    )
    return [Note("info", "These products set the calibration", text)]


def _command(catalog: Catalog, options: EvaluateOptions) -> str:
    words = ["shelfwise evaluate BUNDLE", catalog.path.name, "--split", options.split]
    if options.max_error is not None:
        words += ["--max-error", f"{options.max_error:g}"]
    for path in options.against:
        words += ["--against", path.name]
    return " ".join([*words, "--to REPORT"])


def _photos(catalog: Catalog, data: ProductFeatures) -> Callable[[str], str]:
    row_of = dict(zip(data.product_ids, data.first_image, strict=True))

    def photo(product_id: str) -> str:
        return thumbnail(decode(catalog.image_bytes([row_of[product_id]])[0], minimum_side_px=200).pixels)

    return photo


def _told(member: dict[str, Any]) -> str:
    """Name a member with what was chosen for it."""
    chosen = [f"{fact} {member[fact]}" for fact in ("hierarchy", "pool") if fact in member]
    if "penalty" in member:
        chosen.append(f"penalty {member['penalty']:.3g}")
    return ", ".join([member["name"], *chosen])


def _facts(bundle: Bundle, catalog: Catalog, data: ProductFeatures) -> list[FactGroup]:
    facts, estimates = bundle.facts, bundle.facts["estimates"]
    backbones = " + ".join(f"{spec} ({spec.precision})" for spec in bundle.layout.specs)
    learned = [
        *(("head", _told(member)) for member in facts["members"]),
        (
            "learned from",
            f"{facts['products']:,} products ({facts['options']['learn_from']}), {facts['photos']:,} photos",
        ),
        ("time to learn", f"{facts['seconds']:.1f} s{', vectors apart' if 'network' not in facts else ''}"),
        ("calibrated on", facts["calibrated_on"].replace("_", " ")),
    ]
    expected = [
        (way.replace("_", " "), f"top-1 {figures['top1']['value']:.1%} of {figures['products']:,} products")
        for way, figures in estimates.items()
    ]
    versions = ", ".join(f"{table} {version}" for table, version in catalog.versions.items())
    judged = [
        ("catalog", catalog.path.name),
        ("table versions", versions),
        (
            "left out",
            f"{data.without_photo:,} products without a usable photo, {data.without_category:,} without a category",
        ),
    ]
    network = [FactGroup("Network", tuple(_network(facts["network"])))] if "network" in facts else []
    return [
        FactGroup("Bundle", (("id", bundle.id), ("backbones", backbones), ("features", f"{facts['dimension']:,}"))),
        FactGroup("Learning", tuple(learned)),
        *network,
        FactGroup("What was expected", tuple(expected)),
        FactGroup("Data judged here", tuple(judged)),
    ]


def _network(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Tell how a network was trained."""
    weights = f"{told['trained_parameters']:,} of {told['parameters']:,} weights"
    layers = f"{told['trained_layers']} of {told['layers']} layers"
    if told["trained_layers"] < told["layers"]:
        layers += f", from {told['trained_from']} on"
    changes = " + ".join(f"{change['kind']} {change['strength']:g}" for change in told["changes"]) or "none"
    epochs = f"{len(told['curve'])} of {told['epochs']}, the best {told['best_epoch']}"
    sides = ", ".join(f"{side} px" for side in told["sides_px"])
    return [
        ("name", told["network"]),
        ("started from", told.get("started_from", told["start"])),
        ("trained", f"{weights}, {layers}"),
        ("photos", f"{sides}, {told['fit']}, changed at random: {changes}"),
        ("optimizer", f"{told['optimizer']}, rate {told['rate']:.2g} for the body, {told['schedule']}"),
        ("epochs", epochs),
        ("time of the epochs", f"{told['training_seconds']:,.0f} s"),
    ]
