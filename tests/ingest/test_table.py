from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from read_sources import bad_rows, fault, products, table, told

from drawn_shop import tiny, write
from shelfwise.errors import OptionError, SourceError, TaxonomyError
from shelfwise.ingest.table import TableSource
from shelfwise.ingest.tree import category_id, taxonomy_of_names, taxonomy_of_paths
from shelfwise.options import TableOptions


def source(path: Path, images: Path | None = None, **options: object) -> TableSource:
    return TableSource(path, TableOptions(**({"id": "id"} | options)), images)  # type: ignore[arg-type]


def test_every_named_column_arrives_in_the_product_and_the_others_do_not(tmp_path: Path):
    path = table(
        tmp_path / "shop.csv",
        "sku,photo,name,about,shelf,tags,same as,part,price",
        '007,a/1.jpg,"Mug, blue",Holds tea,Kitchen,red  66 red,g1,train,9.99',
        "7,a/2.jpg,,,NA,,,,",
    )
    opened = TableSource(
        path,
        TableOptions(
            id="sku", image=("photo",), title="name", description="about", category=("shelf",), attributes="tags",
            group="same as", split="part",
        ),
    )  # fmt: skip
    first, second = products(opened)
    assert (first.product_id, first.title, first.description, first.category) == (
        "007",
        "Mug, blue",
        "Holds tea",
        "Kitchen",
    )
    assert (first.attributes, first.group, first.split) == (("red", "66"), "g1", "train")
    assert [(photo.name, photo.data) for photo in first.photos] == [("a/1.jpg", tmp_path / "a/1.jpg")]
    assert (first.where, first.text) == (
        "shop.csv, line 2",
        '007,a/1.jpg,"Mug, blue",Holds tea,Kitchen,red  66 red,g1,train,9.99',
    )
    assert (second.product_id, second.title, second.description, second.category) == ("7", None, None, "NA")
    assert (second.attributes, second.group, second.split) == ((), None, None)
    assert (opened.kind, opened.path, opened.ignored_files, opened.facts) == ("table", path, 0, {"encoding": "utf-8"})


def test_texts_that_look_like_nothing_or_like_numbers_or_formulas_are_kept_as_written(tmp_path: Path):
    written = ["007", "1e5", "1.0", "NA", "null", "None", "nan", "=cmd|' /C calc'!A0", " padded ", "ß", "true"]
    path = table(tmp_path / "t.csv", "id,c,t", *(f"{value},{value},{value}" for value in written))
    opened = source(path, category=("c",), title="t")
    assert [product.product_id for product in products(opened)] == written
    assert [product.title for product in products(opened)] == written
    names = {opened.taxonomy.names(product.category or "") for product in products(opened)}
    assert names == {(value,) for value in written}


@pytest.mark.parametrize("shift", range(4))
def test_the_order_of_the_columns_does_not_matter(tmp_path: Path, shift: int):
    columns = {"id": ["1", "2"], "image": ["1.jpg", "2.jpg"], "c": ["A", "B"], "t": ["one", "two"]}
    names = [*columns][shift:] + [*columns][:shift]
    path = table(tmp_path / "t.csv", ",".join(names), *(",".join(columns[n][row] for n in names) for row in (0, 1)))
    found = [
        (product.product_id, product.photos[0].name, product.category, product.title)
        for product in products(source(path, image=("image",), category=("c",), title="t"))
    ]
    assert found == [("1", "1.jpg", "A", "one"), ("2", "2.jpg", "B", "two")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"title": "titel"}, ["found columns ['id', 'title', 'category']", "need ['titel']", "'title' may be meant for 'titel'"]),
        ({"category": ("category", "Title")}, ["need ['Title']"]),
        ({"id": "ID"}, ["need ['ID']"]),
        ({"split": "title "}, ["need ['title ']", "'title'"]),
    ],
)  # fmt: skip
def test_a_column_that_does_not_exist_is_an_error_with_those_that_do(tmp_path: Path, options: dict, said: list[str]):
    path = table(tmp_path / "t.csv", "id,title,category", "1,a,b")
    with pytest.raises(SourceError) as refused:
        source(path, **options)
    assert all(words in str(refused.value) for words in [str(path), *said])
    assert len(products(source(path, title="title"))) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id;c", "1;A"], "looks like ';'"),
        (["id,c"], "no rows"),
        ([], "no rows"),
        (["id,c,c", "1,A,B"], "columns ['c'] are there twice"),
        (["id,c", "1,A", '2,"B', "3,C"], "line 3"),
    ],
)
def test_a_broken_table_is_an_error(tmp_path: Path, lines: list[str], said: str):
    with pytest.raises(SourceError) as refused:
        products(source(table(tmp_path / "t.csv", *lines), category=("c",)))
    assert said in str(refused.value)


def test_bad_rows_keep_place_and_text_and_cost_no_other_row(tmp_path: Path):
    long = "x" * 300
    path = table(
        tmp_path / "t.csv", "id,image,c", "1,1.jpg,A", "2,2.jpg", "3,3.jpg,A,more", ",4.jpg,A", "   ,5.jpg,A", "6,,A",
        "7,  ,A", "8,8.jpg,", "9,9.jpg,  ", f",{long}.jpg,A", "11,11.jpg,B",
    )  # fmt: skip
    opened = source(path, image=("image",), category=("c",))
    assert [product.product_id for product in products(opened)] == ["1", "11"]
    assert told(opened) == {
        "t.csv, line 3": "row_columns", "t.csv, line 4": "row_columns", "t.csv, line 5": "id_missing",
        "t.csv, line 6": "id_missing", "t.csv, line 7": "no_image", "t.csv, line 8": "no_image",
        "t.csv, line 9": "label_missing", "t.csv, line 10": "label_missing", "t.csv, line 11": "id_missing",
    }  # fmt: skip
    by_place = {bad.where: bad for bad in bad_rows(opened)}
    assert by_place["t.csv, line 3"].text == "2,2.jpg"
    assert by_place["t.csv, line 7"].product_id == "6"
    assert by_place["t.csv, line 7"].detail == "image: no photo is named"
    assert by_place["t.csv, line 9"].detail == "c: the category is empty"
    assert by_place["t.csv, line 11"].text == f",{long}.jpg,A"[:200]
    assert len(list(opened.rows())) == 11


def test_a_byte_that_is_no_utf8_makes_its_row_a_bad_one(tmp_path: Path):
    rows = ["id,t", *(f"{number},Café {number}" for number in range(20))]
    data = "\n".join(rows).encode().replace("Café 7".encode(), b"Caf\xff 7")
    opened = source(write(tmp_path / "t.csv", data), title="t")
    assert told(opened) == {"t.csv, line 9": "row_encoding"}
    assert str(data.index(b"\xff")) in bad_rows(opened)[0].detail
    assert len(products(opened)) == 19


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_out_and_told(tmp_path: Path, encoding: str):
    opened = source(table(tmp_path / "t.csv", "id,t", "1,Müsli äöü", encoding=encoding), title="t")
    assert [product.title for product in products(opened)] == ["Müsli äöü"]
    assert opened.facts["encoding"].removesuffix("-le") == encoding.removesuffix("-sig")
    path = table(tmp_path / "given.csv", "id,t", "1,Łódź", encoding="cp1250")
    assert products(source(path, title="t", encoding="cp1250"))[0].title == "Łódź"


def test_separators_may_be_given_and_tabs_are_known_by_the_ending(tmp_path: Path):
    assert products(source(table(tmp_path / "t.csv", "id;t", "1;a,b"), title="t", separator=";"))[0].title == "a,b"
    assert products(source(table(tmp_path / "t.tsv", "id\tt", "1\ta,b"), title="t"))[0].title == "a,b"


def test_photos_lie_below_the_table_or_below_the_folder_of_images(tmp_path: Path):
    path = table(tmp_path / "t.csv", "id,image", "1,x/1.jpg")
    write(tmp_path / "photos/x/1.jpg", tiny(1))
    (photo,) = products(source(path, tmp_path / "photos", image=("image",)))[0].photos
    assert (photo.name, photo.data) == ("x/1.jpg", tmp_path / "photos/x/1.jpg")
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        source(path, tmp_path / "nowhere", image=("image",))


def test_several_photos_come_from_several_columns_or_from_one_cell_and_empty_ones_are_none(tmp_path: Path):
    columns = table(tmp_path / "a.csv", "id,i1,i2,i3", "1,a.jpg,,c.jpg", "2,,,c.jpg", "3,,,")
    cell = table(tmp_path / "b.csv", "id,i", "1,a.jpg|c.jpg", "2,|c.jpg", "3,| |")
    for opened in (source(columns, image=("i1", "i2", "i3")), source(cell, image=("i",), image_separator="|")):
        names = [[photo.name for photo in product.photos] for product in products(opened)]
        assert names == [["a.jpg", "c.jpg"], ["c.jpg"]]
        assert [*told(opened).values()] == ["no_image"]
    whole = products(source(cell, image=("i",)))
    assert [photo.name for photo in whole[0].photos] == ["a.jpg|c.jpg"]


def test_without_a_column_of_photos_titles_alone_are_a_catalog(tmp_path: Path):
    opened = source(table(tmp_path / "t.csv", "id,t", "1,one", "2,two"), title="t")
    assert [(product.title, product.photos) for product in products(opened)] == [("one", ()), ("two", ())]


def test_paths_that_lead_out_and_addresses_are_told_and_never_opened(tmp_path: Path):
    below = tmp_path / "shop"
    secret = write(tmp_path / "secret.jpg", tiny(7))
    write(below / "in/1.jpg", tiny(1))
    (below / "link.jpg").symlink_to(secret)
    (below / "inside.jpg").symlink_to("in/1.jpg")
    (below / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(below / "fifo.jpg")
    expected = {
        "../secret.jpg": "path_outside", "../../etc/passwd": "path_outside", "/etc/passwd": "path_outside",
        "in/../../secret.jpg": "path_outside", "link.jpg": "path_outside", "zero.jpg": "path_outside",
        "/dev/zero": "path_outside",
        "file:///etc/passwd": "path_outside", "FILE://localhost/etc/passwd": "path_outside",
        "https://example.com/1.jpg": "is_url", "HTTP://169.254.169.254/": "is_url", "ftp://example.com/1.jpg": "is_url",
        "in/1.jpg": None, "inside.jpg": None, "in/../in/1.jpg": None, "nothing.jpg": None,
    }  # fmt: skip
    path = table(below / "t.csv", "id,image", *(f"{n},{name}" for n, name in enumerate(expected)))
    photos = [product.photos[0] for product in products(source(path, image=("image",)))]
    assert {photo.name: fault(photo) for photo in photos} == expected
    details = {photo.name: getattr(photo.data, "detail", "") for photo in photos}
    assert "download the photos first" in details["https://example.com/1.jpg"]
    assert (below / "../secret.jpg").read_bytes() == tiny(7)  # what joining alone would read
    fifo = table(below / "f.csv", "id,image", "1,fifo.jpg")
    assert isinstance(products(source(fifo, image=("image",)))[0].photos[0].data, Path)


def test_a_category_that_is_one_text_is_one_node_whatever_it_holds(tmp_path: Path):
    path = table(tmp_path / "t.csv", "id,c", "1,AC/DC", "2,A > B", r"3,A\B", "4,A")
    opened = source(path, category=("c",))
    assert [product.category for product in products(opened)] == [r"AC\/DC", "A > B", r"A\\B", "A"]
    assert {opened.taxonomy.names(node) for node in opened.taxonomy.leaves} == {
        ("A",),
        ("A > B",),
        (r"A\B",),
        ("AC/DC",),
    }
    assert (opened.taxonomy.depth, opened.taxonomy.level_names) == (1, ("c",))


def test_levels_come_from_columns_or_from_a_separator(tmp_path: Path):
    columns = table(tmp_path / "a.csv", "id,top,mid,leaf", "1,Home,Kitchen,Mug", "2,Home,Garden,Mug", "3,Food,,")
    cell = table(tmp_path / "b.csv", "id,c", "1,Home > Kitchen > Mug", "2,Home > Garden > Mug", "3,Food")
    by_columns = source(columns, category=("top", "mid", "leaf"))
    by_cell = source(cell, category=("c",), category_separator=" > ")
    for opened in (by_columns, by_cell):
        assert [product.category for product in products(opened)] == ["Home/Kitchen/Mug", "Home/Garden/Mug", "Food"]
        assert set(opened.taxonomy.leaves) == {"Home/Kitchen/Mug", "Home/Garden/Mug", "Food"}
        assert opened.taxonomy.names("Home/Garden/Mug") == ("Home", "Garden", "Mug")
    assert by_columns.taxonomy.level_names == ("top", "mid", "leaf")
    assert by_cell.taxonomy.level_names == ("level1", "level2", "level3")


def test_a_blank_level_at_the_end_is_a_shallower_shelf_and_one_above_others_a_bad_row(tmp_path: Path):
    path = table(tmp_path / "t.csv", "id,a,b,c", "1,A,B,", "2,A,,C", "3,,B,C", "4, , ,", "5,A,B,C", "6,A,  ,")
    opened = source(path, category=("a", "b", "c"))
    assert [(product.product_id, product.category) for product in products(opened)] == [
        ("1", "A/B"),
        ("5", "A/B/C"),
        ("6", "A"),
    ]
    assert [*told(opened).values()] == ["label_missing"] * 3
    assert bad_rows(opened)[0].detail == "a and b and c: a level is empty above others: A > ? > C"
    assert set(opened.taxonomy.nodes) == {"A", "A/B", "A/B/C"}
    shallow = source(table(tmp_path / "s.csv", "id,a,b,c", "1,A,B,"), category=("a", "b", "c"))
    assert shallow.taxonomy.level_names == ("a", "b")


def test_names_with_slashes_never_meet_names_on_two_levels(tmp_path: Path):
    path = table(tmp_path / "t.csv", "id,a,b", "1,A/B,", "2,A,B", "3,A\\,B", "4,A\\/B,")
    opened = source(path, category=("a", "b"))
    categories = [product.category for product in products(opened)]
    assert categories == [r"A\/B", "A/B", r"A\\/B", r"A\\\/B"]
    assert len(set(categories)) == 4


NAMES = st.lists(st.text("ab/\\", min_size=1, max_size=4), min_size=1, max_size=4).map(tuple)


@given(st.sets(NAMES, min_size=2, max_size=30))
def test_different_names_have_different_ids(paths: set[tuple[str, ...]]):
    assert len({category_id(names) for names in paths}) == len(paths)
    assert len({"/".join(names) for names in [("a/b",), ("a", "b")]}) == 1  # what joining alone would do


def test_names_without_slashes_give_the_tree_of_their_paths():
    paths = [("Food", "Apple"), ("Food", "Pear"), ("Home",), ("Home", "Cup"), ("Shed", "Cup")]
    assert taxonomy_of_names(paths, ("top", "fine", "unused")) == taxonomy_of_paths(
        map("/".join, paths), ("top", "fine")
    )
    assert taxonomy_of_names([], ("top",)).depth == 0


def test_twins_are_an_error_and_a_shelf_may_have_products_beside_shelves_below_it(tmp_path: Path):
    twins = table(tmp_path / "twins.csv", "id,c", "1,Dress", "2,dress")
    with pytest.raises(TaxonomyError, match=r"'Dress'.*'dress'"):
        source(twins, category=("c",))
    inner = source(table(tmp_path / "inner.csv", "id,a,b", "1,A,", "2,A,B"), category=("a", "b"))
    assert [product.category for product in products(inner)] == ["A", "A/B"]
    assert inner.taxonomy.leaves == ("A/B",)


def test_json_lines_and_arrays_are_read_with_lists_and_numbers_as_written(tmp_path: Path):
    rows = [
        '{"id": 1.0, "images": ["a.jpg", "b.jpg"], "tags": [66, "x y"], "c": "A"}',
        '{"id": 1e5, "images": "c.jpg", "tags": null, "c": true}',
        '{"id": "3", "images": [], "c": "A"}', '{"id": "4", "images": {"a": 1}, "c": "A"}',
        '{"id": ["5"], "images": ["e.jpg"], "c": "A"}', '{"id": "6", "images": ["f.jpg"], "c": {}}',
        '{"images": ["g.jpg"], "c": "A"}', '{"id": "8", "images": [7, [true]], "c": "A"}',
    ]  # fmt: skip
    for path in (table(tmp_path / "t.jsonl", *rows), table(tmp_path / "t.json", "[", ",\n".join(rows), "]")):
        opened = source(path, image=("images",), attributes="tags", category=("c",))
        assert [(p.product_id, [i.name for i in p.photos], p.attributes, p.category) for p in products(opened)] == [
            ("1.0", ["a.jpg", "b.jpg"], ("66", "x y"), "A"), ("1e5", ["c.jpg"], (), "true"),
        ]  # fmt: skip
        codes = ["no_image", "cell_type", "cell_type", "cell_type", "id_missing", "cell_type"]
        assert [*told(opened).values()] == codes
        assert bad_rows(opened)[1].detail == "images holds an object where a photo's path or bytes are expected"


def test_photos_inside_parquet_are_taken_as_bytes_structs_and_lists(tmp_path: Path):
    columns = {
        "id": [1, 2, 3, 4],
        "plain": [tiny(1), None, b"", None],
        "struct": [
            {"bytes": tiny(2), "path": "two.jpg"}, {"bytes": None, "path": "x/2.jpg"}, {"bytes": tiny(3), "path": " "}, None,
        ],
        "many": [[{"bytes": tiny(4), "path": "4.jpg"}, {"bytes": None, "path": "5.jpg"}], [], None, []],
        "c": ["A", "B", "NA", "A"],
    }  # fmt: skip
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    opened = source(tmp_path / "t.parquet", image=("plain", "struct", "many"), category=("c",))
    assert [[(photo.name, photo.data) for photo in product.photos] for product in products(opened)] == [
        [("row 1, photo 1", tiny(1)), ("two.jpg", tiny(2)), ("4.jpg", tiny(4)), ("5.jpg", tmp_path / "5.jpg")],
        [("x/2.jpg", tmp_path / "x/2.jpg")],
        [("row 3, photo 1", b""), ("row 3, photo 2", tiny(3))],
    ]
    assert [(product.product_id, product.category) for product in products(opened)] == [
        ("1", "A"),
        ("2", "B"),
        ("3", "NA"),
    ]
    assert told(opened) == {"t.parquet, row 4": "no_image"}
    assert len(bad_rows(opened)[0].text) <= 200


LABEL = {"names": ["cat", "dog", "NA"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    "many", [{"feature": LABEL, "_type": "Sequence"}, {"feature": LABEL, "_type": "List"}, [LABEL]]
)
def test_numbers_that_hugging_face_names_are_read_as_their_names(tmp_path: Path, many: object):
    # The form that `datasets` 2 and 4 write; `plain` is a number that nobody names.
    features = {"id": {"dtype": "string", "_type": "Value"}, "label": LABEL, "many": many, "plain": {"dtype": "int64"}}
    columns = {
        "id": ["a", "b", "c", "d", "e"],
        "label": [1, 0, -1, 3, None],
        "many": [[0, 2, 0], [], [1], [1], [1]],
        "plain": [1, 0, 5, 6, 7],
    }
    named = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(named, tmp_path / "named.parquet")
    opened = source(tmp_path / "named.parquet", category=("label",), attributes="many", title="plain")
    assert [(p.category, p.attributes, p.title) for p in products(opened)] == [
        ("dog", ("cat", "NA"), "1"),
        ("cat", (), "0"),
    ]
    assert told(opened) == {
        "named.parquet, row 3": "label_missing", "named.parquet, row 4": "label_unknown", "named.parquet, row 5": "label_missing",
    }  # fmt: skip
    assert bad_rows(opened)[1].detail == "label holds 3, but names only 0 to 2"
    parquet.write_table(pa.table(columns), tmp_path / "plain.parquet")
    plain = source(tmp_path / "plain.parquet", category=("label",))
    assert [product.category for product in products(plain)] == ["1", "0", "-1", "3"]


def test_names_of_classes_that_cannot_be_read_are_an_error(tmp_path: Path):
    broken = pa.table({"id": ["a"], "label": [1]}).replace_schema_metadata({"huggingface": "{"})
    parquet.write_table(broken, tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="which names the classes, cannot be read"):
        source(tmp_path / "t.parquet", category=("label",))


def test_missing_values_of_parquet_are_missing_and_not_the_word_nan(tmp_path: Path):
    columns = {"id": ["1", None, "3"], "c": pa.array([float("nan"), 2.0, 3.5]), "t": ["nan", "b", None]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    opened = source(tmp_path / "t.parquet", category=("c",), title="t")
    assert told(opened) == {"t.parquet, row 1": "label_missing", "t.parquet, row 2": "id_missing"}
    assert [(product.category, product.title) for product in products(opened)] == [("3.5", None)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": ("a", "a")}, "--image: the same column twice: a, a"),
        ({"category": ("a", "b", "a")}, "--category: the same column twice"),
        ({"image": ("a", "b"), "image_separator": "|"}, "--image-separator is for one column; --image names 2"),
        ({"category": ("a", "b"), "category_separator": ">"}, "--category-separator is for one column"),
        ({"category_separator": ">"}, "--category-separator needs --category"),
        ({"attributes_separator": ""}, "--attributes-separator is empty"),
        ({"image_separator": ""}, "--image-separator is empty"),
    ],
)
def test_options_that_contradict_themselves_are_refused(options: dict, said: str):
    with pytest.raises(OptionError) as refused:
        TableOptions(id="id", **options)
    assert said in str(refused.value)


def test_a_table_without_a_named_column_of_ids_is_refused(tmp_path: Path):
    with pytest.raises(OptionError, match="--id: name the column"):
        TableSource(table(tmp_path / "t.csv", "id", "1"), TableOptions(title="id"))


def test_rows_can_be_gone_through_again_and_a_changed_file_is_an_error(tmp_path: Path):
    path = table(tmp_path / "t.csv", "id,c", "1,A", "2,B")
    opened = source(path, category=("c",))
    assert list(opened.rows()) == list(opened.rows())
    table(path, "id,c", "1,A", "2,Bananas")
    with pytest.raises(SourceError, match="source_changed"):
        list(opened.rows())


CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_of_any_table_every_row_becomes_a_product_or_a_bad_row_and_texts_are_unchanged(
    rows: list[tuple[str, str, str]],
):
    def quoted(row: tuple[str, ...]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in row)

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "t.csv"), "\r\n".join(["id,title,image", *map(quoted, rows)]).encode())
        opened = source(path, title="title", image=("image",))
        found = list(opened.rows())
        sound = [row for row in rows if row[0].strip() and row[2].strip()]
        assert len(found) == len(rows)
        assert [(product.product_id, product.title) for product in products(opened)] == [
            (product_id, title if title.strip() else None) for product_id, title, _ in sound
        ]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path):
    def peak(rows: int, take: Callable[[Iterator[object]], int] = lambda found: sum(1 for _ in found)) -> int:
        lines = (json.dumps({"id": str(n), "image": f"{n}.jpg", "c": f"c{n % 7}", "t": "x" * 200}) for n in range(rows))
        opened = source(table(tmp_path / f"{rows}.jsonl", *lines), image=("image",), category=("c",), title="t")
        tracemalloc.start()
        count = take(opened.rows())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return used

    small = peak(300)
    assert peak(3000) < small * 1.5 + 200_000
    assert peak(3000, lambda found: len([*found])) > small * 1.5 + 200_000
