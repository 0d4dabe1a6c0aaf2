import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.shelves import evidence as evidence_module
from shelfwise.shelves.evidence import evidence
from shelfwise.shelves.rank import Suspects
from shelfwise.shelves.vectors import Vectors


def some_suspects(inventory) -> Suspects:
    """Any products, each with any other shelf."""
    product = np.arange(0, inventory.products, 17, dtype=np.int32)
    category = inventory.category[product]
    shelf = ((category + 1 + product % 5) % len(inventory.categories)).astype(np.int32)
    rest = np.zeros(len(product), np.float32)
    return Suspects(product, category, shelf, rest, rest.astype(np.int32), rest, rest, rest)


def test_evidence_is_the_nearest_photos_of_both_shelves_by_brute_force(embedded_catalog, monkeypatch) -> None:
    monkeypatch.setattr(evidence_module, "_BLOCK_PHOTOS", 4)
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    suspects = some_suspects(inventory)
    found = evidence(catalog, inventory, layout, suspects, k=4)
    vectors = Vectors(catalog, inventory, layout)
    photos = vectors.photos(np.arange(inventory.photos))
    cosines = cosine_similarity(vectors.read(suspects.product), photos)
    cosines[inventory.photo_product[None] == suspects.product[:, None]] = -np.inf
    shelf_of_photo = inventory.category[inventory.photo_product]
    for shelves, photo in ((suspects.category, found.own_photo), (suspects.shelf, found.shelf_photo)):
        there = np.where(shelf_of_photo[None] == shelves[:, None], cosines, -np.inf)
        np.testing.assert_array_equal(photo, np.argsort(-there, axis=1, kind="stable")[:, :4])
    either = (shelf_of_photo == suspects.category[:, None]) | (shelf_of_photo == suspects.shelf[:, None])
    nearest = np.argsort(-np.where(either, cosines, -np.inf), axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(found.neighbors[0], nearest)
    agree = (shelf_of_photo[nearest] == suspects.shelf[:, None]).sum(axis=1)
    np.testing.assert_array_equal(found.on_suggested, agree)


def test_a_shelf_with_too_few_photos_gives_what_it_has(embedded_catalog) -> None:
    catalog = Catalog(embedded_catalog)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    found = evidence(catalog, inventory, layout, some_suspects(inventory), k=500)
    there = np.bincount(inventory.category, minlength=len(inventory.categories))
    suspects = some_suspects(inventory)
    np.testing.assert_array_equal((found.own_photo >= 0).sum(axis=1), there[suspects.category] - 1)
    np.testing.assert_array_equal((found.shelf_photo >= 0).sum(axis=1), there[suspects.shelf])
    both = np.minimum(there[suspects.category] - 1 + there[suspects.shelf], 500)
    np.testing.assert_array_equal((found.neighbors[0] >= 0).sum(axis=1), both)
    np.testing.assert_array_equal(found.on_suggested, there[suspects.shelf])
