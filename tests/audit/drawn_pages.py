"""Audit pages over the known catalog, and over as many categories as Cdiscount has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shelfwise.audit.explore import Colors, Exploration, explore
from shelfwise.audit.explore.attributes import Attributes
from shelfwise.audit.explore.samples import sample_photos
from shelfwise.audit.explore.shelves import levels
from shelfwise.audit.explore.sizes import Sizes
from shelfwise.audit.explore.splits import compare_splits
from shelfwise.audit.findings import Found
from shelfwise.audit.page.assemble import audit_page
from shelfwise.audit.page.data import AuditPage, Sample
from shelfwise.audit.page.pick import sheet
from shelfwise.audit.page.pictures import histogram_text
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.images.draw import KINDS, draw_product
from shelfwise.page.thumbnails import thumbnail
from shelfwise.taxonomy import Node, Taxonomy

WORDS = [
    "WATCH",
    "HOOK",
    "LAMP",
    "CARPET",
    "SHELF",
    "POT",
    "BOOK",
    "CABLE",
    "TYRE",
    "DRILL",
    "GAME",
    "SCARF",
    "BOTTLE",
    "FRAME",
    "BASIN",
    "GLOVE",
    "TENT",
    "CHAIR",
]


def known_page(path: Path, found: list[Found] | None = None) -> AuditPage:
    """Audit a catalog for nothing but what is given."""
    catalog = Catalog(path)
    inventory = take_inventory(catalog)
    return audit_page(
        catalog, inventory, found or [], explore(catalog, inventory), date="2026-05-04", command="shelfwise audit <shop>",
        facts=[("version", "1 & 2")],
    )  # fmt: skip


def large_tree(leaves: int = 5270) -> Taxonomy:
    """Grow 49 / 483 / 5,270 categories, as Cdiscount has, with names that repeat under other parents."""
    tops = [Node(f"t{i}", f"{WORDS[i % 18]} WORLD {i}", None) for i in range(49)]
    middle = [Node(f"m{i}", f"{WORDS[i % 17]} - {WORDS[i % 13]} {i}", f"t{i % 49}") for i in range(483)]
    deep = [Node(f"c{i}", f"{WORDS[i % 18]} FOR {WORDS[i % 11]} {i}", f"m{i % 483}") for i in range(leaves)]
    return Taxonomy([*tops, *middle, *deep])


def large_page(products: int = 100_000, thumbnails: int = 1000) -> AuditPage:
    """Draw an audit of 5,270 categories whose products follow a power law, with many thumbnails."""
    tree, random = large_tree(), np.random.default_rng(3)
    leaves = tree.leaves
    share = 1 / np.arange(1, len(leaves) + 1) ** 1.1
    category = random.choice(len(leaves), products, p=random.permutation(share / share.sum())).astype(np.int32)
    photos = np.arange(products, dtype=np.int32)
    inventory = Inventory(
        photo_row=photos, photo_product=photos, photo_picture=photos, first_photo=photos, hashes=photos.astype(np.uint64),
        category=category, split=(random.random(products) < 0.2).astype(np.int32), group=np.full(products, -1, np.int32),
        categories=leaves, splits=("train", "test"), groups=0,
    )  # fmt: skip
    colors = Colors(inventory)
    histograms = random.dirichlet(np.ones(16), (products, 4)).reshape(products, 64).astype(np.float32)
    colors.add(photos, histograms)
    nodes = {node: place for place, node in enumerate(tree.nodes_in_order)}
    exploration = _exploration(tree, inventory, colors)
    drawn = [thumbnail(draw_product(KINDS[i % len(KINDS)], i, 96), 96) for i in range(48)]
    samples: dict[int, tuple[Sample, ...]] = {}
    for at, (number, photo) in enumerate(sheet(exploration.samples, exploration.levels, thumbnails)):
        one = Sample(drawn[at % 48], f"product-{photo}", histogram_text(histograms[photo]))
        samples[number] = (*samples.get(number, ()), one)
    return AuditPage(
        name="large", date="", command="", facts=(), products=products, photos=products, pictures=products, kinds=(),
        exploration=exploration, tree=tuple((tree.nodes[n].name, nodes.get(tree.nodes[n].parent or "", -1)) for n in nodes),
        nodes=nodes, categories=tuple(nodes[leaf] for leaf in leaves), category_samples=samples, attribute_samples={},
    )  # fmt: skip


def _exploration(tree: Taxonomy, inventory: Inventory, colors: Colors) -> Exploration:
    histogram = np.zeros((64, 64), np.int64)
    histogram[29, 29] = inventory.photos
    b = 60
    together = np.random.default_rng(1).integers(0, 900, (b, b))
    together = np.minimum(together, together.T)
    np.fill_diagonal(together, 1000)
    return Exploration(
        levels=levels(tree, inventory), unfiled=0, photos_per_product=np.array([0, inventory.products]),
        attributes=Attributes(
            tuple(f"attribute {i}" for i in range(b)), np.full(b, 1000), together, np.array([10, 20]),
            np.full((b, 6), -1, np.int32),
        ),
        sizes=Sizes(histogram, (180, 180), ((180, 180, inventory.photos),), 1, np.eye(21, dtype=np.int64)[5], (("JPEG", 1),)),
        colors=colors, splits=compare_splits(inventory, colors), samples=sample_photos(inventory, 8),
    )  # fmt: skip
