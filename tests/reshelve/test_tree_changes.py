"""Changes of trees alone: uneven ones, equal names under different parents, cycles."""

import pytest

from shelfwise.errors import TaxonomyError
from shelfwise.reshelve import tree
from shelfwise.taxonomy import Node, Taxonomy

SHOP = Taxonomy(
    [
        Node("F", "Food", None), Node("F/M", "Milk", "F"), Node("F/M/O", "Other", "F/M"), Node("F/M/W", "Whole", "F/M"),
        Node("F/T", "Tea", "F"), Node("G", "Garden", None), Node("G/O", "Other", "G"), Node("V", "Voucher", None),
    ],
    ["department", "aisle", "shelf"],
)  # fmt: skip


def paths(taxonomy: Taxonomy) -> set[str]:
    return {tree.shown(taxonomy, node) for node in taxonomy.nodes}


def test_a_renamed_category_keeps_its_id_and_what_is_below_it():
    done = tree.renamed(SHOP, "F/M", "  Dairy ")
    assert done.taxonomy.names("F/M/O") == ("Food", "Dairy", "Other")
    assert done.taxonomy.level_names == SHOP.level_names
    assert paths(done.taxonomy) - paths(SHOP) == {"Food > Dairy", "Food > Dairy > Other", "Food > Dairy > Whole"}


@pytest.mark.parametrize("name", ["TEA", " tea", "Te\u0061"])
def test_a_name_that_a_sibling_has_to_a_reader_is_refused(name: str):
    with pytest.raises(TaxonomyError, match="same name to a reader"):
        tree.renamed(SHOP, "F/M", name)


@pytest.mark.parametrize("name", ["", "  ", "Milk > Oat"])
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(TaxonomyError, match="cannot be the name"):
        tree.renamed(SHOP, "F/M", name)
    with pytest.raises(TaxonomyError, match="cannot be the name"):
        tree.added(SHOP, name, None)


def test_a_category_moves_with_all_below_it_and_the_levels_grow_and_shrink():
    deeper = tree.moved(SHOP, "F/M", "G/O").taxonomy
    assert deeper.names("F/M/W") == ("Garden", "Other", "Milk", "Whole")
    assert deeper.level_names == ("department", "aisle", "shelf", "level4")
    flatter = tree.moved(SHOP, "F/M", None).taxonomy
    assert flatter.names("F/M/W") == ("Milk", "Whole")
    assert flatter.level_names == ("department", "aisle")


@pytest.mark.parametrize("parent", ["F", "F/M", "F/M/O"])
def test_a_category_cannot_stand_below_itself(parent: str):
    with pytest.raises(TaxonomyError, match="cannot stand below itself"):
        tree.moved(SHOP, "F", parent)


def test_a_category_cannot_move_beside_one_of_its_name():
    with pytest.raises(TaxonomyError, match="same name to a reader"):
        tree.moved(SHOP, "G/O", "F/M")


def test_a_merged_category_gives_its_products_and_its_children():
    done = tree.merged(SHOP, "F/M", "F/T")
    assert done.goes == {"F/M": "F/T"}
    assert paths(done.taxonomy) == {
        "Food", "Food > Tea", "Food > Tea > Other", "Food > Tea > Whole", "Garden", "Garden > Other", "Voucher",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("node", "into", "said"),
    [
        ("F", "F", "into itself"),
        ("F", "F/M/O", "stands below"),
        ("G", "F/M", "same name to a reader"),
    ],
)
def test_merges_that_no_tree_can_hold_are_refused(node: str, into: str, said: str):
    with pytest.raises(TaxonomyError, match=said):
        tree.merged(SHOP, node, into)


def test_a_category_can_be_merged_into_the_one_above_it():
    done = tree.merged(SHOP, "F/M", "F")
    assert {"Food > Other", "Food > Whole"} <= paths(done.taxonomy)
    assert done.taxonomy.level_names == ("department", "aisle")


def test_a_new_category_has_an_id_that_every_copy_of_the_tree_gives_it():
    assert tree.added(SHOP, "Oat", "F/M").taxonomy.names("F/M/Oat") == ("Food", "Milk", "Oat")
    assert "New" in tree.added(SHOP, "New", None).taxonomy.nodes
    taken = tree.renamed(SHOP, "F/T", "Infusion").taxonomy  # its id stays F/T
    assert "F/T-2" in tree.added(taken, "T", "F").taxonomy.nodes
    assert "77" in tree.added(SHOP, "Oat", "F", "77").taxonomy.nodes
    with pytest.raises(TaxonomyError, match="is taken by Garden > Other"):
        tree.added(SHOP, "Oat", "F", "G/O")


def test_only_a_category_with_nothing_below_it_can_be_removed():
    with pytest.raises(TaxonomyError, match="others below it, 2"):
        tree.removed(SHOP, "F/M")
    done = tree.removed(SHOP, "V")
    assert (done.leaves, done.goes) == ("V", {})
    assert paths(SHOP) - paths(done.taxonomy) == {"Voucher"}
    assert tree.removed(SHOP, "V", "F/T").goes == {"V": "F/T"}
    with pytest.raises(TaxonomyError, match="cannot stay"):
        tree.removed(SHOP, "V", "V")


def test_a_split_makes_shelves_beside_the_old_one_which_goes_when_it_is_empty():
    shelves = {"p1": "Green", "p2": "Black", "p3": "Black", "p4": "F/M/W"}
    done = tree.split(SHOP, "F/T", shelves, rest=0)
    assert done.splits == {"p1": "F/Green", "p2": "F/Black", "p3": "F/Black", "p4": "F/M/W"}
    assert "F/T" not in done.taxonomy.nodes
    stays = tree.split(SHOP, "F/T", shelves | {"p5": "F/T"}, rest=0)
    assert "F/T" in stays.taxonomy.nodes
    assert "p5" not in stays.splits
    assert "F/T" in tree.split(SHOP, "F/T", shelves, rest=1).taxonomy.nodes
    assert "F/M" in tree.split(SHOP, "F/M", {"p1": "Cream"}, rest=0).taxonomy.nodes, "other shelves stand below it"
