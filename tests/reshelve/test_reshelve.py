"""The same change of a catalog and of a bundle: both can be compared afterwards, and the catalog goes back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands_here import refused, run
from drawn_shop import write
from shelfwise import reshelve
from shelfwise.backbones.products import read_named_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.learned import Learned
from shelfwise.catalog import Catalog, undo
from shelfwise.corrections.log import moved_products
from shelfwise.errors import OptionError, TaxonomyError
from shelfwise.evaluate import evaluate
from shelfwise.statistics.ridge import Spectrum, fit

MUG, PLATE, BOOT = "Home/Kitchen/Mug", "Home/Kitchen/Plate", "Fashion/Shoes/Boot"


class Both:
    """A catalog and a bundle learned from it, changed in the same way."""

    def __init__(self, catalog: Path, bundle: Path) -> None:
        self.catalog, self.bundle = catalog, bundle

    def change(self, do) -> tuple[reshelve.ReshelveSummary, reshelve.ReshelveSummary]:
        return do(self.catalog), do(self.bundle)

    def trees(self) -> tuple[dict, dict]:
        opened = Catalog(self.catalog), Bundle.load(self.bundle)
        return tuple({n: one.taxonomy.names(n) for n in one.taxonomy.nodes} for one in opened)

    def shelf_of(self, split: str = "train") -> dict[str, str]:
        rows = Catalog(self.catalog).products(["product_id", "category", "split"]).to_pylist()
        return {row["product_id"]: row["category"] for row in rows if row["split"] == split}

    def on(self, node: str, split: str = "train") -> list[str]:
        return [product for product, category in self.shelf_of(split).items() if category == node]

    def assert_learned_from_the_catalog(self) -> None:
        """Compare the bundle with what scratch gives on the catalog as it is now: sums to 1e-8, the head in float32."""
        bundle, shelf_of = Bundle.load(self.bundle), self.shelf_of()
        learned = bundle.learned()
        data = read_named_products(Catalog(self.catalog), bundle.layout, list(shelf_of))
        assert set(bundle.categories) == set(data.categories)
        column = bundle.columns.of(data.categories)
        scratch = Learned.of(data.product_ids, data.x, column, len(bundle.categories), learned.penalty).statistics
        for name, array in scratch.to_arrays().items():
            np.testing.assert_allclose(learned.statistics.to_arrays()[name], array, atol=1e-8)
        expected = fit(Spectrum.from_rows(data.x), scratch, learned.penalty)
        found = bundle.classifier.members[0].model.head
        np.testing.assert_allclose(found.weight, expected.weight, atol=1e-7)
        np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-6)


@pytest.fixture
def both(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path) -> Both:
    shutil.copytree(embedded_catalog, tmp_path / "shop.catalog")
    shutil.copytree(drawn_bundle, tmp_path / "shop.bundle")
    return Both(tmp_path / "shop.catalog", tmp_path / "shop.bundle")


def columns_of(bundle: Bundle) -> dict[str, bytes]:
    head = bundle.classifier.members[0].model.head
    return {
        category: head.weight[:, column].tobytes() + head.intercept[column].tobytes()
        for column, category in enumerate(bundle.categories)
    }


def new_shelves(both: Both, tmp_path: Path, names: tuple[str, ...] = ("Tall mug", "Small mug")) -> Path:
    """Divide all mugs, of every split, between new shelves."""
    mugs = [product for split in ("train", "val", "test") for product in both.on(MUG, split)]
    lines = [f"{product},{names[place % len(names)]}" for place, product in enumerate(mugs)]
    return write(tmp_path / "shelves.csv", "\n".join(["product_id,category", *lines]).encode())


@pytest.mark.parametrize(
    "do",
    [
        lambda target: reshelve.rename(target, "Home > Kitchen > Mug", "Cup"),
        lambda target: reshelve.move(target, MUG, None),
        lambda target: reshelve.move(target, "Home/Kitchen", "Fashion > Shoes"),
        lambda target: reshelve.add(target, "Bowl", "home > kitchen"),
        lambda target: reshelve.merge(target, MUG, PLATE),
        lambda target: reshelve.merge(target, "Home > Kitchen", "Fashion > Shoes"),
        lambda target: reshelve.remove(target, MUG, PLATE),
    ],
    ids=["rename", "move to the top", "move a branch", "add", "merge", "merge branches", "remove"],
)
def test_after_the_same_change_both_have_one_tree_and_evaluate_compares_them(both: Both, do):
    ids = both.shelf_of()
    before = evaluate(both.bundle, both.catalog).metrics
    of_catalog, of_bundle = both.change(do)
    assert (of_catalog.kind, of_bundle.kind) == ("catalog", "bundle")
    assert (of_catalog.what, of_catalog.new, of_catalog.gone) == (of_bundle.what, of_bundle.new, of_bundle.gone)
    catalog_tree, bundle_tree = both.trees()
    assert catalog_tree == bundle_tree
    assert Catalog(both.catalog).taxonomy.level_names == Bundle.load(both.bundle).taxonomy.level_names
    both.assert_learned_from_the_catalog()
    after = evaluate(both.bundle, both.catalog).metrics
    assert after["products"] == before["products"] == 48
    assert after["top1"]["value"] >= before["top1"]["value"] - 0.1
    left, _ = undo(both.catalog)
    assert left.what.startswith(of_catalog.what)
    assert both.shelf_of() == ids


def test_a_merge_moves_the_products_and_writes_them_into_the_log(both: Both):
    mugs = [product for split in ("train", "val", "test") for product in both.on(MUG, split)]
    done = reshelve.merge(both.catalog, MUG, PLATE)
    assert (done.products, done.gone, done.new) == (15, [MUG], [])
    assert {
        product: where.category for product, where in moved_products(Catalog(both.catalog)).items()
    } == dict.fromkeys(mugs, PLATE)
    of_bundle = reshelve.merge(both.bundle, MUG, PLATE)
    assert of_bundle.products == 8
    assert Bundle.load(both.bundle).facts["updates"][-1]["what"] == done.what


def test_a_merge_changes_one_column_and_no_other_by_a_bit(both: Both):
    before = columns_of(Bundle.load(both.bundle))
    reshelve.merge(both.bundle, MUG, PLATE)
    after = columns_of(Bundle.load(both.bundle))
    assert after.keys() == before.keys() - {MUG}
    assert [category for category in after if after[category] != before[category]] == [PLATE]


def test_a_rename_and_a_move_change_no_bit_of_the_head_nor_of_the_sums(both: Both):
    before = columns_of(Bundle.load(both.bundle))
    sums = (both.bundle / "statistics.safetensors").read_bytes()
    reshelve.rename(both.bundle, MUG, "Cup")
    reshelve.move(both.bundle, "Home/Kitchen", None)
    assert columns_of(Bundle.load(both.bundle)) == before
    assert (both.bundle / "statistics.safetensors").read_bytes() == sums
    assert Bundle.load(both.bundle).taxonomy.names(MUG) == ("Kitchen", "Cup")


def test_a_split_touches_the_old_shelf_and_the_new_ones_and_no_other_column_by_a_bit(both: Both, tmp_path: Path):
    file = new_shelves(both, tmp_path)
    before = columns_of(Bundle.load(both.bundle))
    of_bundle = reshelve.split(both.bundle, MUG, file, both.catalog)
    of_catalog = reshelve.split(both.catalog, MUG, file)
    assert (of_bundle.products, of_bundle.never_learned, of_catalog.products) == (8, 7, 15)
    new = ["Home/Kitchen/Tall mug", "Home/Kitchen/Small mug"]
    assert (of_catalog.new, of_catalog.gone) == (of_bundle.new, of_bundle.gone) == (new, [MUG])
    after = columns_of(Bundle.load(both.bundle))
    assert after.keys() == (before.keys() - {MUG}) | set(new)
    assert all(after[category] == before[category] for category in after.keys() & before.keys())
    catalog_tree, bundle_tree = both.trees()
    assert catalog_tree == bundle_tree
    both.assert_learned_from_the_catalog()
    assert evaluate(both.bundle, both.catalog).metrics["categories_in_split"] == 13
    undo(both.catalog)
    assert len(both.on(MUG)) == 8


def test_a_split_may_leave_products_and_send_some_to_a_shelf_that_exists(both: Both, tmp_path: Path):
    mugs = both.on(MUG)
    file = write(
        tmp_path / "s.csv",
        f"product_id,category\n{mugs[0]},Tall mug\n{mugs[1]},Home > Kitchen > Plate\n{mugs[2]},plate\n{mugs[3]},Mug".encode(),
    )
    of_catalog, of_bundle = (
        reshelve.split(both.catalog, MUG, file),
        reshelve.split(both.bundle, MUG, file, both.catalog),
    )
    assert of_catalog.products == of_bundle.products == 3
    assert of_catalog.gone == of_bundle.gone == []
    assert both.on(MUG) == mugs[3:]
    assert set(both.on(PLATE)) >= set(mugs[1:3])
    both.assert_learned_from_the_catalog()


def test_a_file_of_new_shelves_that_cannot_be_used_is_told_by_its_line(both: Both, tmp_path: Path):
    mug, boot = both.on(MUG)[0], both.on(BOOT)[0]
    for lines, error, said in (
        (f"{boot},Tall", OptionError, f"do not stand on Home > Kitchen > Mug, 1 in all, e.g. '{boot}'"),
        (f"{mug},Tall\n{mug},Small", OptionError, "line 3: the product .* is named before"),
        (f"{mug},Nowhere > Tall", OptionError, "line 2: .*no shelf"),
        (f"{mug},", OptionError, "line 2: product_id and category are both needed"),
        (f"{mug},Tall,more", OptionError, "line 2"),
    ):
        file = write(tmp_path / "s.csv", f"product_id,category\n{lines}\n".encode())
        for target in (both.catalog, both.bundle):
            with pytest.raises(error, match=said):
                reshelve.split(target, MUG, file, both.catalog)
    sound = write(tmp_path / "s.csv", f"product_id,category\n{mug},Tall\n".encode())
    with pytest.raises(OptionError, match="--catalog"):
        reshelve.split(both.bundle, MUG, sound)


def test_an_empty_shelf_comes_and_goes_and_a_full_one_only_when_told_where(both: Both):
    both.change(lambda target: reshelve.add(target, "Bowl", "Home/Kitchen", "77"))
    assert Bundle.load(both.bundle).taxonomy.names("77") == ("Home", "Kitchen", "Bowl")
    assert "77" not in Bundle.load(both.bundle).categories
    both.change(lambda target: reshelve.remove(target, "77"))
    for target, told in ((both.catalog, "15 products"), (both.bundle, "8 products")):
        with pytest.raises(TaxonomyError, match=f"{told}: say where they go with --products-to"):
            reshelve.remove(target, MUG)


def test_a_bundle_forgets_the_products_of_a_shelf_that_is_removed_with_the_catalog_at_hand(both: Both):
    done = reshelve.remove(both.bundle, MUG, catalog=both.catalog)
    assert (done.products, done.gone) == (8, [MUG])
    bundle = Bundle.load(both.bundle)
    assert MUG not in bundle.taxonomy.nodes
    data = read_named_products(
        Catalog(both.catalog), bundle.layout, [p for p, c in both.shelf_of().items() if c != MUG]
    )
    scratch = Learned.of(data.product_ids, data.x, bundle.columns.of(data.categories), 11, bundle.learned().penalty)
    np.testing.assert_allclose(bundle.learned().statistics.gram, scratch.statistics.gram, atol=1e-8)
    expected = fit(Spectrum.from_rows(data.x), scratch.statistics, scratch.penalty)
    np.testing.assert_allclose(bundle.classifier.members[0].model.head.weight, expected.weight, atol=1e-7)


def test_names_that_are_spelled_nearly_right_are_hinted_at(both: Both):
    for target in (both.catalog, both.bundle):
        with pytest.raises(TaxonomyError, match=r"no shelf 'Mugg'; Home > Kitchen > Mug may be meant"):
            reshelve.rename(target, "Mugg", "Cup")


def test_a_bundle_without_sums_is_renamed_and_moved_but_not_merged(both: Both, tmp_path: Path):
    bare = tmp_path / "bare.bundle"
    replace(Bundle.load(both.bundle), kept={}).save(bare)
    reshelve.rename(bare, MUG, "Cup")
    reshelve.move(bare, MUG, "Fashion/Shoes")
    assert Bundle.load(bare).taxonomy.names(MUG) == ("Fashion", "Shoes", "Cup")
    with pytest.raises(OptionError, match="learn anew"):
        reshelve.merge(bare, MUG, PLATE)


def test_a_zip_is_changed_in_its_place(both: Both, tmp_path: Path):
    file = tmp_path / "z.bundle.zip"
    Bundle.load(both.bundle).save(file)
    done = reshelve.merge(file, MUG, PLATE)
    assert Bundle.load(file).id == done.bundle_id
    assert MUG not in Bundle.load(file).categories


def test_the_commands_tell_what_they_did(both: Both, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "taxonomy", "merge", both.catalog, "Home > Kitchen > Mug", PLATE)
    assert code == 0
    assert "taxonomy merge Home > Kitchen > Mug into Home > Kitchen > Plate: 15 products" in out
    assert "next    shelfwise show" in out
    code, out, _ = run(capsys, "undo", both.catalog)
    assert (code, "taken back" in out) == (0, True)
    file = new_shelves(both, tmp_path)
    code, out, _ = run(
        capsys, "taxonomy", "split", both.bundle, MUG, "--products", file, "--catalog", both.catalog, "--json"
    )
    assert (code, json.loads(out)["products"], json.loads(out)["never_learned"]) == (0, 8, 7)
    assert run(capsys, "taxonomy", "add", both.catalog, "Bowl", "--under", "Home/Kitchen", "--id", "77")[0] == 0
    assert run(capsys, "taxonomy", "rename", both.catalog, "77", "Big bowl")[0] == 0
    assert run(capsys, "taxonomy", "move", both.catalog, "77", "--top")[0] == 0
    assert Catalog(both.catalog).taxonomy.names("77") == ("Big bowl",)
    assert run(capsys, "taxonomy", "remove", both.catalog, "77")[0] == 0
    assert "--top" in refused(capsys, "taxonomy", "move", both.catalog, MUG)
    assert "itself" in refused(capsys, "taxonomy", "merge", both.catalog, MUG, MUG)
    assert "no shelf" in refused(capsys, "taxonomy", "remove", both.bundle, "Nothing")
