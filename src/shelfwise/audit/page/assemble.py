"""From arrays to what the audit page shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.audit.findings import KINDS, Found
from shelfwise.audit.page.data import (
    AuditPage,
    ExampleSet,
    Item,
    KindShown,
    LeakCheck,
    Member,
    NoiseRow,
    Sample,
    ScoreHistogram,
    SuspectShown,
)
from shelfwise.audit.page.pick import MEMBERS, SAME_PICTURE, example_sets, sheet
from shelfwise.audit.page.pictures import Pictures, first_photos

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shelfwise.audit.explore import Exploration
    from shelfwise.catalog import Catalog
    from shelfwise.catalog.inventory import Inventory
    from shelfwise.shelves.evidence import Evidence
    from shelfwise.shelves.judge import Judged
    from shelfwise.shelves.noise import Noise
    from shelfwise.shelves.rank import Suspects

SUSPECTS, NEIGHBORS, DIFFICULT, NOISY = 30, 4, 18, 200
SHEET_PHOTOS, ATTRIBUTES = 700, 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgement:
    """What the vectors say of the products' shelves."""

    judged: Judged
    suspects: Suspects
    evidence: Evidence
    noise: Noise

    @cached_property
    def difficult(self) -> NDArray[np.int64]:
        """The products whose best shelf is the least probable: those that could not be placed."""
        best = np.where(self.judged.judged, self.judged.probabilities[:, 0], np.nan)
        return np.argsort(best, kind="stable")[: min(DIFFICULT, int((~np.isnan(best)).sum()))]


def audit_page(
    catalog: Catalog,
    inventory: Inventory,
    found: Sequence[Found],
    exploration: Exploration,
    *,
    date: str,
    command: str,
    facts: Sequence[tuple[str, str]] = (),
    judgement: Judgement | None = None,
    leaks: LeakCheck | None = None,
) -> AuditPage:
    """Collect everything the page shows; reads the photos and ids that it shows, and no others."""
    shown = _Shown(catalog, inventory, found, exploration, judgement)
    names = {node: place for place, node in enumerate(catalog.taxonomy.nodes_in_order)}
    nodes = catalog.taxonomy.nodes
    return AuditPage(
        name=catalog.path.name.removesuffix(".catalog"), date=date, command=command, facts=tuple(facts),
        products=inventory.products, photos=inventory.photos, pictures=inventory.pictures,
        kinds=shown.kinds(), exploration=exploration,
        tree=tuple((nodes[node].name, names.get(nodes[node].parent or "", -1)) for node in names), nodes=names,
        categories=tuple(names[category] for category in inventory.categories),
        category_samples=shown.samples(shown.sheet), attribute_samples=shown.samples(shown.worn),
        suspects=shown.suspects(), suspects_in_all=len(judgement.suspects.product) if judgement else 0,
        noise=shown.noise(), difficult=shown.difficult(), leaks=leaks, quality=_histograms(found),
    )  # fmt: skip


def _histograms(found: Sequence[Found]) -> tuple[ScoreHistogram, ...]:
    """Read the histograms of scores from the facts of the kinds that have one, found or not."""
    return tuple(
        ScoreHistogram(
            part.kind, part.facts["meaning"], part.facts["histogram"]["from"], part.facts["histogram"]["to"],
            tuple(part.facts["histogram"]["photos"]), part.facts["threshold"],
        )
        for part in found
        if "histogram" in part.facts
    )  # fmt: skip


class _Shown:
    """What was chosen, and then its photos and ids."""

    def __init__(
        self,
        catalog: Catalog,
        inventory: Inventory,
        found: Sequence[Found],
        exploration: Exploration,
        judgement: Judgement | None,
    ) -> None:
        self.inventory, self.judgement = inventory, judgement
        self.found = sorted((part for part in found if len(part)), key=lambda part: list(KINDS).index(part.kind))
        self.sets = [[] if part.kind == "wrong_shelf" else example_sets(part) for part in self.found]  # they have cards
        self.sheet = sheet(exploration.samples, exploration.levels, SHEET_PHOTOS)
        first = first_photos(inventory)
        worn = exploration.attributes.samples[:ATTRIBUTES]
        self.worn = [
            (at, int(first[row])) for at, rows in enumerate(worn) for row in rows if row >= 0 and first[row] >= 0
        ]
        members = [
            (part, at) for part, sets in zip(self.found, self.sets, strict=True) for one in sets for at in one[:MEMBERS]
        ]
        products = [int(part.product[at]) for part, at in members]
        large = [
            int(part.photo[at]) if part.photo[at] >= 0 else int(first[part.product[at]])
            for part, sets in zip(self.found, self.sets, strict=True)
            for one in sets
            for at in one[: 1 if part.kind in SAME_PICTURE else MEMBERS]
        ]
        kept = np.unique([int(part.kept[at]) for part, at in members])
        kept = kept[kept >= 0].astype(np.int64)
        products += kept.tolist()
        large += first[kept].tolist()
        small: list[int] = []
        if judgement is not None:
            chosen = judgement.suspects.product[:SUSPECTS].tolist()
            large += first[chosen].tolist()
            hard = judgement.difficult.tolist()
            products += chosen + hard
            large += first[hard].tolist()
            small += judgement.evidence.neighbors[0][:SUSPECTS, :NEIGHBORS].ravel().tolist()
        small += [photo for _, photo in (*self.sheet, *self.worn)]
        self.pictures = Pictures(catalog, inventory, small=small, large=large, products=products)

    def samples(self, chosen: Iterable[tuple[int, int]]) -> dict[int, tuple[Sample, ...]]:
        samples: dict[int, tuple[Sample, ...]] = {}
        for number, photo in chosen:
            samples[number] = (*samples.get(number, ()), self.pictures.sample(photo))
        return samples

    def kinds(self) -> tuple[KindShown, ...]:
        return tuple(
            KindShown(
                kind=part.kind, sets=part.sets, products=len(np.unique(part.product)),
                photos=len(np.unique(part.photo[part.photo >= 0])),
                examples=tuple(self._set(part, members) for members in sets), facts=part.facts,
            )
            for part, sets in zip(self.found, self.sets, strict=True)
        )  # fmt: skip

    def _set(self, part: Found, places: NDArray[np.int64]) -> ExampleSet:
        products = np.unique(part.product[places])
        shelves = np.unique(self.inventory.category[products])
        kept = set(part.kept[places][part.kept[places] >= 0].tolist())
        members = [self._member(part, int(at), kept) for at in places[:MEMBERS]]
        others = [
            Member(self.pictures.item(product), stays=True, aside=False, shelf=(), score=1)
            for product in sorted(kept.difference(products.tolist()))[:1]
        ]
        return ExampleSet((*others, *members), len(products) + len(others), int((shelves >= 0).sum()))

    def _member(self, part: Found, at: int, kept: set[int]) -> Member:
        product, aside = int(part.product[at]), bool(part.kept[at] >= 0)
        return Member(
            item=self.pictures.item(product, int(part.photo[at])), stays=not aside and product in kept, aside=aside,
            shelf=self.pictures.path(int(part.shelf[at])), score=float(part.score[at]),
        )  # fmt: skip

    def suspects(self) -> tuple[SuspectShown, ...] | None:
        if self.judgement is None:
            return None
        of = self.judgement.suspects
        return tuple(
            SuspectShown(
                item=self.pictures.item(int(of.product[at])), shelf=self.pictures.path(int(of.shelf[at])),
                own_probability=float(of.own_probability[at]), shelf_probability=float(of.shelf_probability[at]),
                distance=int(of.distance[at]), neighbors=self._neighbors(at),
            )
            for at in range(min(SUSPECTS, len(of.product)))
        )  # fmt: skip

    def _neighbors(self, at: int) -> tuple[tuple[Item, float], ...]:
        assert self.judgement is not None
        photos, alike = (values[at, :NEIGHBORS].tolist() for values in self.judgement.evidence.neighbors)
        return tuple(
            (self.pictures.item(int(self.inventory.photo_product[photo]), photo), similarity)
            for photo, similarity in zip(photos, alike, strict=True)
            if photo >= 0
        )

    def noise(self) -> tuple[NoiseRow, ...] | None:
        if self.judgement is None:
            return None
        noise, path = self.judgement.noise, self.pictures.path
        most = dict(zip(noise.shelf[::-1].tolist(), noise.other[::-1].tolist(), strict=True))
        wrong = np.nan_to_num(noise.share) * noise.products
        worst = [int(shelf) for shelf in np.argsort(-wrong, kind="stable")[:NOISY] if wrong[shelf] > 0]
        return tuple(
            NoiseRow(path(shelf), int(noise.products[shelf]), float(noise.share[shelf]), path(most.get(shelf, -1)))
            for shelf in worst
        )

    def difficult(self) -> tuple[tuple[Item, float], ...] | None:
        if self.judgement is None:
            return None
        best = self.judgement.judged.probabilities[:, 0]
        return tuple(
            (self.pictures.item(product), float(best[product])) for product in self.judgement.difficult.tolist()
        )
