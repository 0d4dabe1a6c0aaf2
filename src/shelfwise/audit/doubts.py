"""What a catalog's vectors say: products on the wrong shelf, how noisy every shelf is, and what leaks are worth."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.findings import Found
from shelfwise.audit.leaks import LEARN
from shelfwise.audit.page.data import LeakCheck
from shelfwise.backbones.features import FeatureLayout
from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.corrections.log import settled_products
from shelfwise.engines.missing import missing_vectors, usable_photos
from shelfwise.options import AuditOptions
from shelfwise.progress import Progress
from shelfwise.shelves.evidence import Evidence, evidence
from shelfwise.shelves.judge import Judged, held_out_right, judge
from shelfwise.shelves.noise import Noise, estimate_noise
from shelfwise.shelves.rank import Suspects, wrong_shelves

# Photos that speak for a suspect's shelf and for the suggested one, each.
NEIGHBORS = 5


@dataclass(frozen=True, eq=False)
class Doubts:
    """What the shelves say of their products: judged, the suspects with their evidence, the noise of every shelf.

    not_embedded: pictures without a vector, which say nothing.
    """

    layout: FeatureLayout
    judged: Judged
    suspects: Suspects
    evidence: Evidence
    noise: Noise
    not_embedded: int

    @property
    def found(self) -> Found:
        """The suspects as findings, a set each, the likeliest first; the score is the doubt in nats."""
        s = self.suspects
        facts = {"judged": int(self.judged.judged.sum()), "doubted": int(_doubted(self.judged).sum())}
        return Found.of(
            "wrong_shelf", set=np.arange(len(s)), product=s.product, score=s.doubt, shelf=s.shelf, facts=facts
        )


def find_doubts(
    catalog: Catalog, inventory: Inventory, showing: NDArray[np.bool_], options: AuditOptions, progress: Progress
) -> Doubts | None:
    """Judge every filed product; None where nothing was embedded.

    showing: (p,) which products have a photo that shows them; of the others nothing is said. Products whose shelf somebody
    confirmed are asked about no more. Raises CatalogError where `options.backbone` names some that were not used.
    """
    if not catalog.description.embedded and options.backbone is None:
        return None
    layout = embedded_layout(catalog, options.backbone)
    judged = judge(catalog, inventory, layout, progress, look_alikes=options.leave_out == "look-alikes")
    judged.own[~showing] = np.nan
    suspects = _suspects(catalog, inventory, judged, options.suspects)
    found = evidence(catalog, inventory, layout, suspects, NEIGHBORS, progress)
    noise = estimate_noise(judged, len(inventory.categories))
    return Doubts(layout, judged, suspects, found, noise, _not_embedded(catalog, layout))


def check_leaks(
    catalog: Catalog, inventory: Inventory, layout: FeatureLayout, leaked: NDArray[np.bool_], progress: Progress
) -> LeakCheck | None:
    """Compare the accuracy on products of a split that leak from the one learned from, (p,), with that on the others.

    The split with the most such products is judged; None where there are none, or none that can be judged.
    """
    of_split = np.bincount(inventory.split[leaked], minlength=len(inventory.splits))
    if not of_split.sum():
        return None
    judged = int(of_split.argmax())
    right = held_out_right(catalog, inventory, layout, inventory.splits.index(LEARN), judged, progress)
    asked = right >= 0
    if not asked.any():
        return None
    clean, twins = right[asked & ~leaked], right[asked & leaked]
    return LeakCheck(
        learned=LEARN, judged=inventory.splits[judged], clean_right=int(clean.sum()), clean=len(clean),
        leaked_right=int(twins.sum()), leaked=len(twins),
    )  # fmt: skip


def _not_embedded(catalog: Catalog, layout: FeatureLayout) -> int:
    """Count the pictures of usable photos that one of the backbones has not seen."""
    photos = usable_photos(catalog)
    return max(len(missing_vectors(catalog, spec.key, photos).places) for spec in layout.specs)


def _doubted(judged: Judged) -> NDArray[np.bool_]:
    return np.asarray(judged.judged & (judged.suggested[1] > judged.own))


def _suspects(catalog: Catalog, inventory: Inventory, judged: Judged, limit: int) -> Suspects:
    """Rank the suspects, without the products of which somebody said that they stand on the right shelf."""
    settled = settled_products(catalog)
    suspects = wrong_shelves(judged, catalog.taxonomy, inventory, limit + len(settled))
    if settled and len(suspects):
        ids = catalog.product_ids(suspects.product)
        shelves = [inventory.categories[number] for number in suspects.category]
        kept = [settled.get(product, "") != shelf for product, shelf in zip(ids, shelves, strict=True)]
        suspects = _taken(suspects, np.flatnonzero(kept))
    return _taken(suspects, np.arange(min(limit, len(suspects))))


def _taken(suspects: Suspects, places: NDArray[np.intp]) -> Suspects:
    return Suspects(*(getattr(suspects, column.name)[places] for column in fields(Suspects)))
