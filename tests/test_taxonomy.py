from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import TaxonomyError
from shelfwise.taxonomy import Node, Taxonomy

# Worked by hand: Fruit > Apple > {Gala, Fuji}, Fruit > Kiwi, Drinks > Apple, Salt.
SHOP = [
    Node("gala", "Gala", "apple"),
    Node("fruit", "Fruit", None),
    Node("apple", "Apple", "fruit"),
    Node("fuji", "Fuji", "apple"),
    Node("kiwi", "Kiwi", "fruit"),
    Node("drinks", "Drinks", None),
    Node("juice", "Apple", "drinks"),
    Node("salt", "Salt", None),
]


def test_nodes_may_come_in_any_order_and_leaves_keep_it_within_their_parent():
    shop = Taxonomy(SHOP)
    assert shop.leaves == ("gala", "fuji", "kiwi", "juice", "salt")
    assert list(shop.nodes_in_order) == ["fruit", "apple", "gala", "fuji", "kiwi", "drinks", "juice", "salt"]
    assert shop.depth == 3
    assert shop.level_names == ("level1", "level2", "level3")


def test_a_path_leads_from_the_top_to_the_node():
    shop = Taxonomy(SHOP)
    assert shop.path("fuji") == ("fruit", "apple", "fuji")
    assert shop.names("fuji") == ("Fruit", "Apple", "Fuji")
    assert shop.path("salt") == ("salt",)
    assert shop.children("fruit") == ["apple", "kiwi"]
    assert shop.children(None) == ["fruit", "drinks", "salt"]
    assert shop.children("salt") == []


def test_a_node_above_a_level_stands_for_itself():
    shop = Taxonomy(SHOP)
    assert [shop.ancestor("fuji", level) for level in range(3)] == ["fruit", "apple", "fuji"]
    assert [shop.ancestor("kiwi", level) for level in range(3)] == ["fruit", "kiwi", "kiwi"]
    assert [shop.ancestor("salt", level) for level in range(3)] == ["salt", "salt", "salt"]


def test_a_level_groups_leaves_of_uneven_depth():
    shop = Taxonomy(SHOP)
    nodes, column_of = shop.level(shop.leaves, 1)
    assert nodes == ("apple", "kiwi", "juice", "salt")
    assert column_of.tolist() == [0, 0, 1, 2, 3]
    assert column_of.dtype == np.int32


def test_equal_names_under_different_parents_are_different_categories():
    shop = Taxonomy(SHOP)
    assert shop.nodes["apple"].name == shop.nodes["juice"].name
    assert shop.names("apple") != shop.names("juice")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([Node("a", "A", "b"), Node("b", "B", "a")], "'a' is its own ancestor"),
        ([Node("top", "Top", None), Node("a", "A", "a")], "'a' is its own ancestor"),
        ([Node("a", "A", "nowhere")], "'a' has the parent 'nowhere', which does not exist"),
        ([Node("a", "A", None), Node("a", "B", None)], "'a' occurs twice"),
    ],
)
def test_what_is_no_tree_is_refused_by_name(nodes: list[Node], message: str):
    with pytest.raises(TaxonomyError, match=message):
        Taxonomy(nodes)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Dress", "dress"),
        ("Straße", "STRASSE"),
        ("Café", "Cafe\N{COMBINING ACUTE ACCENT}"),
        ("\N{LATIN SMALL LIGATURE FI}sh", "fish"),
        ("Apple", "Apple "),
        ("Apple", "\N{NO-BREAK SPACE}apple\t"),
    ],
)
def test_siblings_that_read_the_same_are_refused_and_both_are_named(first: str, second: str):
    with pytest.raises(TaxonomyError) as refused:
        Taxonomy([Node("shop", "Shop", None), Node("1", first, "shop"), Node("2", second, "shop")])
    assert repr(first) in str(refused.value)
    assert repr(second) in str(refused.value)
    assert "'shop'" in str(refused.value)
    Taxonomy([Node("a", "A", None), Node("b", "B", None), Node("1", first, "a"), Node("2", second, "b")])


def test_names_that_only_look_alike_in_length_or_accent_are_kept_apart():
    names = ["Pear", "Pears", "Pêar", "2", "10", "Apple  pie", "Apple pie", "Applepie"]
    assert len(Taxonomy([Node(str(i), name, None) for i, name in enumerate(names)]).leaves) == len(names)


def test_level_names_must_be_as_many_as_levels():
    assert Taxonomy(SHOP, ["top", "coarse", "fine"]).level_names == ("top", "coarse", "fine")
    with pytest.raises(TaxonomyError, match="2 level names for a tree of 3 levels"):
        Taxonomy(SHOP, ["top", "fine"])


def test_an_unknown_category_is_an_error_not_a_guess():
    for question in (Taxonomy(SHOP).path, Taxonomy(SHOP).names, lambda node: Taxonomy(SHOP).ancestor(node, 0)):
        with pytest.raises(TaxonomyError, match="holds no category 'Gala'"):
            question("Gala")


def test_a_tree_without_nodes_has_no_leaves_and_no_levels():
    empty = Taxonomy([])
    assert (empty.leaves, empty.depth, empty.level_names) == ((), 0, ())
    assert Taxonomy.from_table(empty.table()) == empty


def test_a_table_gives_back_the_same_tree():
    shop = Taxonomy(SHOP, ["top", "coarse", "fine"])
    again = Taxonomy.from_table(shop.table(), shop.level_names)
    assert again == shop
    assert hash(again) == hash(shop)
    assert again.leaves == shop.leaves
    assert again != Taxonomy(SHOP)
    assert again != Taxonomy([*SHOP[:-1], Node("salt", "Pepper", None)], shop.level_names)


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Nodes in random order, each with an earlier one as its parent, or none."""
    count = draw(st.integers(1, 25))
    parents = [draw(st.none() | st.integers(0, place - 1)) if place else None for place in range(count)]
    nodes = [Node(f"n{i}", f"name {i}", None if p is None else f"n{p}") for i, p in enumerate(parents)]
    return draw(st.permutations(nodes))


@given(trees())
def test_any_tree_agrees_with_walking_up_parent_by_parent(nodes: list[Node]):
    tree, parent_of = Taxonomy(nodes), {node.id: node.parent for node in nodes}

    def walked(node_id: str) -> list[str]:
        above = parent_of[node_id]
        return [*(walked(above) if above else []), node_id]

    leaves = {node.id for node in nodes} - set(parent_of.values())
    assert set(tree.leaves) == leaves
    assert tree.depth == max(len(walked(node.id)) for node in nodes)
    order = list(tree.nodes_in_order)
    for node in nodes:
        path = walked(node.id)
        assert list(tree.path(node.id)) == path
        assert [order.index(above) for above in path] == sorted(order.index(above) for above in path)
        for level in range(tree.depth):
            assert tree.ancestor(node.id, level) == (path + [node.id] * tree.depth)[level]
    for level in range(tree.depth):
        ids, column_of = tree.level(tree.leaves, level)
        assert [ids[column] for column in column_of] == [tree.ancestor(leaf, level) for leaf in tree.leaves]
        assert len(set(ids)) == len(ids)
    assert Taxonomy.from_table(tree.table()) == tree


@given(trees(), st.data())
def test_a_loop_anywhere_is_found(nodes: list[Node], data: st.DataObject):
    tree = Taxonomy(nodes)
    chosen = data.draw(st.sampled_from(nodes))
    below = [node.id for node in nodes if chosen.id in tree.path(node.id)]
    looped = Node(chosen.id, chosen.name, data.draw(st.sampled_from(below)))
    with pytest.raises(TaxonomyError, match="is its own ancestor"):
        Taxonomy([looped if node.id == chosen.id else node for node in nodes])
