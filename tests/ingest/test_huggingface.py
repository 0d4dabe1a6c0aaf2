from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from read_sources import bad_rows, products, table, told

from drawn_shop import lay_out, tiny, write
from shelfwise.errors import OptionError, SourceError
from shelfwise.ingest.huggingface import HuggingFaceSource
from shelfwise.options import TableOptions


def opened(root: Path, **options: object) -> HuggingFaceSource:
    return HuggingFaceSource(root, TableOptions(**options))  # type: ignore[arg-type]


def test_metadata_names_the_photos_of_its_folder(tmp_path: Path):
    root = lay_out(tmp_path / "data", "1.jpg", "sub/2.png")
    table(root / "metadata.csv", "file_name,text,label", "1.jpg,a mug,Kitchen", "sub/2.png,a boot,Shoes")
    source = opened(root, title="text", category=("label",))
    assert [(p.product_id, p.title, p.category, p.split) for p in products(source)] == [
        ("1.jpg", "a mug", "Kitchen", None), ("sub/2.png", "a boot", "Shoes", None),
    ]  # fmt: skip
    assert [photo.data for product in products(source) for photo in product.photos] == [
        root / "1.jpg",
        root / "sub/2.png",
    ]
    assert products(source)[1].where == "metadata.csv, line 3"
    assert bad_rows(source) == []
    assert (source.kind, source.ignored_files, source.facts) == (
        "huggingface",
        0,
        {"metadata": "metadata.csv", "encoding": "utf-8"},
    )


@pytest.mark.parametrize(
    "name", ["metadata.csv", "metadata.jsonl", "metadata.parquet", "Metadata.CSV", "metadata.Jsonl"]
)
def test_every_form_of_metadata_is_read_in_the_folders_of_splits(tmp_path: Path, name: str):
    root = lay_out(tmp_path / "data", "train/1.jpg", "train/2.jpg", "validation/1.jpg", "Test/1.jpg")
    for folder, photos in {"train": ["1.jpg", "2.jpg"], "validation": ["1.jpg"], "Test": ["1.jpg"]}.items():
        if name.lower().endswith("csv"):
            table(root / folder / name, "file_name,t", *(f"{photo},{folder}" for photo in photos))
        elif name.lower().endswith("jsonl"):
            table(root / folder / name, *(f'{{"file_name": "{photo}", "t": "{folder}"}}' for photo in photos))
        else:
            parquet.write_table(pa.table({"file_name": photos, "t": [folder] * len(photos)}), root / folder / name)
    source = opened(root, title="t")
    assert {p.product_id: (p.split, p.title) for p in products(source)} == {
        "train/1.jpg": ("train", "train"), "train/2.jpg": ("train", "train"), "validation/1.jpg": ("val", "validation"),
        "Test/1.jpg": ("test", "Test"),
    }  # fmt: skip
    assert bad_rows(source) == []
    assert source.ignored_files == 0
    assert source.facts["metadata"].count(name) == 3


def test_metadata_on_top_may_speak_of_the_folders_of_splits_and_a_column_of_splits_comes_first(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/1.jpg", "test/1.jpg")
    table(root / "metadata.csv", "file_name,part", "train/1.jpg,fold 3", "test/1.jpg,validation")
    assert [product.split for product in products(opened(root))] == ["train", "test"]
    assert [product.split for product in products(opened(root, split="part"))] == ["fold 3", "validation"]


def test_several_photos_a_product_and_a_column_of_ids(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/a.jpg", "train/b.jpg", "train/c.jpg")
    table(
        root / "train/metadata.jsonl", '{"file_names": ["b.jpg", "a.jpg"], "n": 7}', '{"file_names": ["c.jpg"], "n": 8}'
    )
    assert [(p.product_id, [i.name for i in p.photos]) for p in products(opened(root))] == [
        ("train/b.jpg", ["train/b.jpg", "train/a.jpg"]), ("train/c.jpg", ["train/c.jpg"]),
    ]  # fmt: skip
    assert [product.product_id for product in products(opened(root, id="n"))] == ["7", "8"]
    assert bad_rows(opened(root)) == []


def test_photos_without_a_row_and_rows_without_a_photo_are_told(tmp_path: Path):
    root = lay_out(
        tmp_path / "data",
        "train/1.jpg",
        "train/2.jpg",
        "train/lost.jpg",
        "stray.jpg",
        "train/notes.txt",
        "train/.x.jpg",
    )
    table(root / "train/metadata.csv", "file_name,c", "1.jpg,A", "./2.jpg,", "gone.jpg,A", ",A", "Lost.jpg,A")
    source = opened(root, category=("c",))
    assert [product.product_id for product in products(source)] == ["train/1.jpg", "train/gone.jpg", "train/Lost.jpg"]
    assert not (root / products(source)[1].photos[0].name).exists()
    assert not products(source)[1].photos[0].may_be_missing  # so it is quarantined
    assert told(source) == {
        "train/metadata.csv, line 3": "label_missing", "train/metadata.csv, line 5": "no_image",
        "stray.jpg": "metadata_missing", "train/lost.jpg": "metadata_missing",
    }  # fmt: skip
    assert bad_rows(source)[-1].detail == "no sound row of train/metadata.csv names this photo"
    assert source.ignored_files == 2


def test_photos_outside_are_not_read(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/1.jpg")
    write(tmp_path / "secret.jpg", tiny(9))
    table(
        root / "train/metadata.csv",
        "file_name",
        "1.jpg",
        "../../secret.jpg",
        "/etc/passwd",
        "https://example.com/1.jpg",
    )
    found = [photo.data for product in products(opened(root)) for photo in product.photos]
    assert found[0] == root / "train/1.jpg"
    assert [str(data).split(":")[0] for data in found[1:]] == ["path_outside", "path_outside", "is_url"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["metadata.csv", "metadata.jsonl"], "metadata.csv and metadata.jsonl both speak of the photos in ."),
        (["train/metadata.csv", "train/metadata.parquet"], "both speak of the photos in train"),
        (
            ["metadata.csv", "train/metadata.csv"],
            "metadata.csv and train/metadata.csv both speak of the photos in train",
        ),
        (["metadata.csv", "train/deep/er/metadata.csv"], "both speak of the photos in train/deep/er"),
        (
            ["train/metadata.csv", "test/metadata.json"],
            "test/metadata.json is not read: metadata is .csv, .jsonl or .parquet",
        ),
        (["metadata.tsv"], "metadata.tsv is not read"),
        (["metadata.csv.gz"], "metadata.csv.gz is not read"),
    ],
)
def test_metadata_that_would_be_overlooked_is_an_error(tmp_path: Path, names: list[str], said: str):
    root = lay_out(tmp_path / "data", "train/1.jpg", "train/deep/er/2.jpg", "test/1.jpg")
    for name in names:
        table(root / name, "file_name", "1.jpg")
    with pytest.raises(SourceError) as refused:
        opened(root)
    assert said in str(refused.value)


def test_columns_that_do_not_exist_are_an_error_in_every_metadata_file(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/1.jpg", "test/1.jpg")
    table(root / "train/metadata.csv", "file_name,text", "1.jpg,a")
    table(root / "test/metadata.csv", "file_name,txt", "1.jpg,a")
    with pytest.raises(SourceError, match=r"test/metadata.csv: .*need \['text'\]; 'txt' may be meant for 'text'"):
        opened(root, title="text")
    table(root / "test/metadata.csv", "filename,text", "1.jpg,a")
    with pytest.raises(SourceError, match=r"need \['file_name'\]; 'filename' may be meant"):
        opened(root, title="text")
    table(root / "test/metadata.csv", "photo,text", "1.jpg,a")
    table(root / "train/metadata.csv", "photo,text", "1.jpg,a")
    assert [p.product_id for p in products(opened(root, image=("photo",)))] == ["test/1.jpg", "train/1.jpg"]


def test_a_folder_beside_the_splits_is_an_error(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/1.jpg", "dev/1.jpg")
    for folder in ("train", "dev"):
        table(root / folder / "metadata.csv", "file_name", "1.jpg")
    with pytest.raises(SourceError, match="train look like splits, but beside them lies: dev"):
        opened(root)


def test_without_metadata_class_folders_are_the_categories(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/1.jpg", "README.md")
    source = opened(root)
    assert {p.product_id: (p.category, p.split) for p in products(source)} == {
        "train/cat/1.jpg": ("cat", "train"), "train/dog/1.jpg": ("dog", "train"), "test/cat/1.jpg": ("cat", "test"),
    }  # fmt: skip
    assert (source.kind, source.ignored_files, source.taxonomy.leaves) == ("huggingface", 1, ("cat", "dog"))
    with pytest.raises(
        SourceError, match=r"holds no metadata.csv, .jsonl or .parquet, so there are no columns \['text'\]"
    ):
        opened(root, title="text")


def test_a_folder_of_parquet_files_is_sent_to_the_import_of_tables(tmp_path: Path):
    write(tmp_path / "data/data/train-00000-of-00001.parquet", b"PAR1")
    with pytest.raises(SourceError, match="holds neither photos nor metadata; a Parquet file is for `ingest table`"):
        opened(tmp_path / "data")
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        opened(tmp_path / "nowhere")
    with pytest.raises(OptionError, match="--separator"):
        opened(tmp_path / "data", separator=";")


def test_one_category_may_be_spread_over_splits_and_the_tree_is_one(tmp_path: Path):
    root = lay_out(tmp_path / "data", "train/1.jpg", "test/1.jpg")
    table(root / "train/metadata.csv", "file_name,a,b", "1.jpg,Home,Cup")
    table(root / "test/metadata.csv", "b,a,file_name", "Cup,Food,1.jpg")
    source = opened(root, category=("a", "b"))
    assert source.taxonomy.leaves == ("Food/Cup", "Home/Cup")
    assert source.taxonomy.level_names == ("a", "b")
    assert {p.product_id: p.category for p in products(source)} == {"train/1.jpg": "Home/Cup", "test/1.jpg": "Food/Cup"}
