import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shelfwise.backbones import FeatureLayout, parse_specs
from shelfwise.backbones.products import embedded_layout, read_products
from shelfwise.catalog import Catalog, changing
from shelfwise.errors import CatalogError
from shelfwise.taxonomy import Node, Taxonomy

SPECS = tuple(parse_specs("lite0:1+lite1"))
# product -> category, split, and of each photo: its picture and whether it can be used.
PRODUCTS = {
    "two-photos": ("mug", "train", [("a", True), ("b", True)]),
    "one-photo": ("plate", "train", [("c", True)]),
    "in-test": ("mug", "test", [("d", True)]),
    "no-category": (None, "train", [("e", True)]),
    "no-photo": ("mug", "train", []),
    "only-broken": ("plate", "train", [("f", False)]),
    "broken-first": ("plate", "train", [("g", False), ("a", True), ("h", True)]),
    "no-split": ("plate", None, [("i", True)]),
}


def image_rows() -> list[dict]:
    rows = []
    for product, (_, _, photos) in PRODUCTS.items():
        for position, (picture, ok) in enumerate(photos):
            data = picture.encode()
            rows.append(
                {
                    "image_id": f"{product}#{position}", "product_id": product, "position": position, "bytes": data,
                    "sha256": hashlib.sha256(data).digest(), "status": "ok" if ok else "quarantined", "notes": [],
                }
            )  # fmt: skip
    return rows[::-1]  # the order of the photos' table is not that of the products


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    taxonomy = Taxonomy([Node("mug", "Mug", None), Node("plate", "Plate", None)])
    with changing(tmp_path / "shop.catalog", "make") as change:
        change.replace_taxonomy(taxonomy)
        change.append_products(
            [{"product_id": p, "category": c, "split": s, "attributes": []} for p, (c, s, _) in PRODUCTS.items()]
        )
        change.append_images(image_rows())
    return Catalog(tmp_path / "shop.catalog")


def embed(catalog: Catalog, specs: tuple, without: tuple[str, ...] = ()) -> dict[str, list[np.ndarray]]:
    """Store vectors of the pictures of all usable photos, in another order for every backbone; return them by image id."""
    rng = np.random.default_rng(5)
    usable = [row for row in image_rows() if row["status"] == "ok" and row["image_id"] not in without]
    pictures = sorted({row["sha256"] for row in usable})
    vectors: dict[str, list[np.ndarray]] = {row["image_id"]: [] for row in usable}
    for spec in specs:
        matrix = rng.normal(size=(len(pictures), sum(spec.widths))).astype(np.float16)
        for row in usable:
            vectors[row["image_id"]].append(matrix[pictures.index(row["sha256"])])
        order = rng.permutation(len(pictures))
        catalog.append_embeddings(spec.key, [pictures[place] for place in order], matrix[order])
    catalog.record_embedding([spec.to_dict() for spec in specs])
    return vectors


def expected_row(vectors: dict[str, list[np.ndarray]], product: str) -> np.ndarray:
    """The mean of a product's photos, each the unit vectors of its parts (lite0's head and stage, lite1's head)."""
    rows = []
    for image_id in sorted(i for i in vectors if i.startswith(f"{product}#")):
        of_lite0, of_lite1 = (vector.astype(np.float64) for vector in vectors[image_id])
        parts = [of_lite0[:1280], of_lite0[1280:], of_lite1]
        rows.append(np.concatenate([part / np.linalg.norm(part) for part in parts]))
    return np.mean(rows, axis=0)


def test_a_product_is_the_mean_of_its_usable_photos_in_catalog_order(catalog: Catalog) -> None:
    vectors = embed(catalog, SPECS)
    data = read_products(catalog, embedded_layout(catalog), ["train"])
    assert list(data.product_ids) == ["two-photos", "one-photo", "broken-first"] and len(data) == 3
    assert list(data.categories) == ["mug", "plate", "plate"]
    assert (data.without_category, data.without_photo) == (1, 2)
    for x, product in zip(data.x, data.product_ids, strict=True):
        np.testing.assert_allclose(x, expected_row(vectors, product), atol=1e-6)


def test_photos_know_their_product_and_which_of_them_are_the_same_picture(catalog: Catalog) -> None:
    embed(catalog, SPECS)
    data = read_products(catalog, embedded_layout(catalog), ["train"])
    rows = catalog.images(["product_id", "sha256"]).to_pylist()
    order = {product: place for place, product in enumerate(data.product_ids)}
    usable = [r for r in image_rows() if r["status"] == "ok" and r["product_id"] in order]
    usable.sort(key=lambda row: (order[row["product_id"]], row["position"]))
    assert [data.product_ids[p] for p in data.product] == [r["product_id"] for r in usable]
    same = data.picture[:, None] == data.picture[None, :]
    digests = [r["sha256"] for r in usable]
    np.testing.assert_array_equal(same, [[a == b for b in digests] for a in digests])
    assert [rows[row]["product_id"] for row in data.first_image] == list(data.product_ids)


def test_several_splits_are_read_together_and_products_without_one_are_in_none(catalog: Catalog) -> None:
    embed(catalog, SPECS)
    data = read_products(catalog, embedded_layout(catalog), ["train", "test"])
    assert list(data.product_ids) == ["two-photos", "one-photo", "in-test", "broken-first"]


def test_an_unknown_split_is_refused_with_those_there_are(catalog: Catalog) -> None:
    embed(catalog, SPECS)
    with pytest.raises(CatalogError, match="the catalog has no split val, dev; it has: test, train"):
        read_products(catalog, embedded_layout(catalog), ["val", "train", "dev"])


def test_a_catalog_without_embeddings_names_the_command(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"has no embeddings yet: type  shelfwise embed .*shop\.catalog"):
        embedded_layout(catalog)


def test_photos_that_came_after_the_embedding_are_refused_with_the_command(catalog: Catalog) -> None:
    embed(catalog, SPECS, without=("one-photo#0", "broken-first#2"))
    with pytest.raises(CatalogError, match="2 of 5 photos have no embedding lite0-224-s1-fp32") as error:
        read_products(catalog, embedded_layout(catalog), ["train"])
    assert str(error.value).endswith(f"shelfwise embed {catalog.path} --backbone lite0:1+lite1 --precision fp32")
    assert len(read_products(catalog, embedded_layout(catalog), ["test"])) == 1


def test_the_newest_embedding_is_taken_unless_another_is_named(catalog: Catalog) -> None:
    embed(catalog, SPECS)
    in_int8 = tuple(replace(spec, precision="int8") for spec in SPECS)
    other = tuple(parse_specs("lite2@64"))
    embed(catalog, in_int8)
    embed(catalog, other)
    reopened = Catalog(catalog.path)
    assert embedded_layout(reopened) == FeatureLayout(other)
    assert embedded_layout(reopened, "lite0:1+lite1") == FeatureLayout(in_int8), "of two precisions the newer one"
    with pytest.raises(CatalogError, match=r"is not embedded with lite1: type  shelfwise embed .* --backbone lite1"):
        embedded_layout(reopened, "lite1")
