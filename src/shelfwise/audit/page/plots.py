"""What the page's scripts draw, as compact JSON: counts and names, never a row a photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2.utils import htmlsafe_json_dumps

from shelfwise.audit.explore.sizes import BINS_PER_OCTAVE
from shelfwise.audit.page.pictures import histogram_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from numpy.typing import NDArray

    from shelfwise.audit.page.data import AuditPage, Sample

HEAT = 30


def plots_json(page: AuditPage) -> Markup:
    """Write everything that is drawn, safe inside a script element whatever the names are."""
    return htmlsafe_json_dumps(plots(page), separators=(",", ":"), ensure_ascii=False)


def plots(page: AuditPage) -> dict[str, Any]:
    """Collect what is drawn; places are places in `names`."""
    sheets = {
        page.categories[number]: samples
        for number, samples in page.category_samples.items()
        if number < len(page.categories)
    }
    return {
        "names": [name for name, _ in page.tree],
        "parents": [parent for _, parent in page.tree],
        "levels": [
            {
                "name": level.name,
                "nodes": [page.nodes[node] for node in level.nodes],
                "products": level.products.tolist(),
                "photos": level.photos.tolist(),
            }
            for level in page.exploration.levels
        ],
        "samples": {place: _sheet(samples) for place, samples in sheets.items()},
        "colors": _colors(page),
        "attributes": _attributes(page),
        "sizes": _sizes(page.exploration.sizes.histogram),
    }


def _sheet(samples: Sequence[Sample]) -> list[list[str]]:
    return [[sample.photo, sample.product_id, sample.histogram] for sample in samples]


def _colors(page: AuditPage) -> dict[str, Any] | None:
    """Give histograms as bytes (see `histogram_text`): of all photos, and of each category that has some, with its photos."""
    colors = page.exploration.colors
    if colors is None:
        return None
    shown = np.flatnonzero(colors.categories)
    means = colors.by_category[shown] / colors.categories[shown, None]
    return {
        "all": histogram_text(colors.mean),
        "photos": colors.photos,
        "categories": [page.categories[number] for number in shown.tolist()],
        "counts": colors.categories[shown].tolist(),
        "histograms": histogram_text(means),
    }


def _attributes(page: AuditPage) -> dict[str, Any] | None:
    attributes = page.exploration.attributes
    if not attributes.names:
        return None
    return {
        "names": list(attributes.names[:HEAT]),
        "products": attributes.products[:HEAT].tolist(),
        "together": attributes.together[:HEAT, :HEAT].tolist(),
        "all": page.products,
        "samples": {place: _sheet(samples) for place, samples in page.attribute_samples.items()},
    }


def _sizes(histogram: NDArray[np.int64]) -> dict[str, Any] | None:
    """Give the used part of the histogram: cells [width bin, height bin, photos], edges of the bins in pixels."""
    width, height = np.nonzero(histogram)
    if not len(width):
        return None
    low, high = int(min(width.min(), height.min())), int(max(width.max(), height.max())) + 1
    low, high = max(0, low - 1), max(high + 1, low + 8)
    edges = [round(2 ** (place / BINS_PER_OCTAVE)) for place in range(low, high + 1)]
    cells = np.stack([width - low, height - low, histogram[width, height]], axis=1)
    return {"edges": edges, "cells": cells.tolist()}
