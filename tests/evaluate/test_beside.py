"""What evaluate sets beside the answers: the nearest hash, and where the bundle learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_shop import photo, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.errors import LabelMismatchError, OptionError
from shelfwise.evaluate import evaluate
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions, EvaluateOptions


def test_the_nearest_hash_is_scored_as_a_plain_loop_does(embedded_catalog: Path, drawn_bundle: Path):
    told = evaluate(drawn_bundle, embedded_catalog, options=EvaluateOptions(baseline="nearest-hash")).metrics[
        "baseline"
    ]
    catalog = Catalog(embedded_catalog)
    rows = {row["product_id"]: row for row in catalog.products().to_pylist()}
    hashes: dict[str, list[tuple[int, str]]] = {"train": [], "test": []}
    for image in catalog.images(["product_id", "perceptual_hash"]).to_pylist():
        row = rows[image["product_id"]]
        hashes.setdefault(row["split"], []).append((image["perceptual_hash"], row["category"]))
    # Products are in catalog order, and of photos as near the first one counts: `min` returns it.
    right = [
        min(hashes["train"], key=lambda known: (asked ^ known[0]).bit_count())[1] == category
        for asked, category in hashes["test"]
    ]
    assert told["top1"]["value"] == pytest.approx(np.mean(right))
    assert told["name"] == "nearest-hash"
    assert set(told["levels"]) == set(Bundle.load(drawn_bundle).taxonomy.level_names)


def test_the_nearest_hash_needs_photos_that_were_learned_from(embedded_catalog: Path, drawn_bundle: Path):
    with pytest.raises(OptionError, match="evaluate another split of the same catalog"):
        evaluate(drawn_bundle, embedded_catalog, options=EvaluateOptions(baseline="nearest-hash", split="train"))


def test_the_shift_stands_in_metrics_and_page(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    options = EvaluateOptions(shift=True)
    metrics = evaluate(drawn_bundle, embedded_catalog, tmp_path / "report", options).metrics
    told, held_out = metrics["shift"], Bundle.load(drawn_bundle).held_out()
    assert told["in"]["top1"]["value"] == pytest.approx(float(held_out.right.mean()))
    assert told["here"]["top1"]["value"] == metrics["top1"]["value"]
    assert sum(row["here"]["products"] for row in told["categories"]) == metrics["products"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert 'id="shift"' in page
    assert 'id="shift"' not in _page(embedded_catalog, drawn_bundle, tmp_path / "other")


def _page(catalog: Path, bundle: Path, to: Path) -> str:
    evaluate(bundle, catalog, to)
    return (to / "index.html").read_text()


def test_another_shop_whose_classes_are_called_otherwise_is_refused_with_both_sides(drawn_bundle: Path, tmp_path: Path):
    for split in ("train", "test"):
        write(tmp_path / "photos" / split / "Mugs" / "1.jpg", photo("mug", 3))
        write(tmp_path / "photos" / split / "Boots" / "1.jpg", photo("boot", 3))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "other.catalog")
    embed(tmp_path / "other.catalog", EmbedOptions(backbone="lite0@96", precision="fp32"))
    with pytest.raises(LabelMismatchError, match=r"unknown to the bundle(.|\n)*Boots, Mugs(.|\n)*in the bundle: "):
        evaluate(drawn_bundle, tmp_path / "other.catalog", options=EvaluateOptions(shift=True))
