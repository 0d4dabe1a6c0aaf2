"""T16, labels: 24 ways in which data is laid out differently from what a bundle was trained on, and the permutation alarm.

Each ends with the right mapping, so that the accuracy is that of a count by hand over the files, or with a clear error.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scoreboard import record, tier

from conftest import SMALL
from drawn_shop import photo as drawn_photo
from drawn_shop import tiny, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.embed import embed
from shelfwise.errors import BundleError, LabelMismatchError, SourceError, TaxonomyError
from shelfwise.evaluate import evaluate
from shelfwise.ingest import FolderSource, ingest
from shelfwise.ingest.table import TableSource
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.confusion import confusion
from shelfwise.metrics.permutation import permuted_labels
from shelfwise.options import EvaluateOptions, PredictOptions, TableOptions
from shelfwise.predict import predict
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train import train

# Shelves by name, in the order of their names, and what lies on them.
SHELVES = {"10": "plate", "2": "bottle", "Apple": "apple", "Caf\u00e9": "boot", "Mug": "mug"}
FIRST, _, MIDDLE, _, LAST = SHELVES
# Three photos of the right kind on each shelf and one of the next: an accuracy that is worth counting.
RIGHT, WRONG = 3, 1
CSV = TableOptions(id="id", image=("photo",), category=("shelf",), split="part")


def photo(kind: str, seed: int) -> bytes:
    return drawn_photo(kind, seed, 96)


def shelved(root: Path, names: dict[str, str], only: dict[str, str] | None = None) -> None:
    """Lay out the shelves: a training photo on each of `names`, and the test photos on each of `only` (default: `names`)."""
    kinds = list(SHELVES.values())
    for name, kind in names.items():
        write(root / "train" / name / "t.jpg", photo(kind, 0))
    for name, kind in (names if only is None else only).items():
        following = kinds[(kinds.index(kind) + 1) % len(kinds)]
        for number in range(RIGHT):
            write(root / "test" / name / f"{kind}-{number}.jpg", photo(kind, 700 + number))
        for number in range(WRONG):
            write(root / "test" / name / f"{following}-{number}.jpg", photo(following, 800 + number))


def without(*names: str) -> dict[str, str]:
    return {name: kind for name, kind in SHELVES.items() if name not in names}


def renamed(old: str, new: str) -> dict[str, str]:
    return {new if name == old else name: kind for name, kind in SHELVES.items()}


def plain(root: Path) -> None:
    shelved(root, SHELVES)


def empty_in_test(root: Path) -> None:
    shelved(root, SHELVES, without(MIDDLE))
    (root / "test" / MIDDLE).mkdir()


def empty_everywhere(root: Path) -> None:
    shelved(root, SHELVES)
    (root / "test" / "Nothing").mkdir()


def extra_in_test(root: Path) -> None:
    shelved(root, SHELVES, SHELVES | {"Aardvark": "plate"})


def extra_beside_splits(root: Path) -> None:
    shelved(root, SHELVES)
    write(root / "unsorted" / "1.jpg", tiny(1))


def hidden(root: Path) -> None:
    shelved(root, SHELVES)
    for name in ("test/.cache/1.jpg", "test/__MACOSX/Mug/._1.jpg", "test/Mug/.DS_Store", "test/Mug/Thumbs.db"):
        write(root / name, tiny(2))


def linked_photos(root: Path) -> None:
    shelved(root, SHELVES)
    write(root.with_name("secret.jpg"), photo("mug", 700))
    (root / "test" / MIDDLE / "inside.jpg").symlink_to("apple-0.jpg")
    (root / "test" / MIDDLE / "outside.jpg").symlink_to(root.with_name("secret.jpg"))


def linked_folder(root: Path) -> None:
    shelved(root, SHELVES)
    (root / "test" / "Ant").symlink_to(root / "test" / MIDDLE)


def exchanged(root: Path) -> None:
    """As many photos on each of two shelves as before, and those of each on the other."""
    for name, other in (("Apple", "mug"), ("Mug", "apple")):
        write(root / "train" / name / "t.jpg", photo(other, 0))
        for number in range(20):
            write(root / "test" / name / f"{number}.jpg", photo(other, 700 + number))


def as_table(root: Path, *, reverse: bool, mark: bytes = b"", test: dict[str, str] = SHELVES) -> None:
    shelved(root, SHELVES, test)
    photos = sorted(path.relative_to(root) for path in root.rglob("*.jpg"))
    rows = [f"{path},{path},{path.parts[1]},{path.parts[0]}" for path in sorted(photos, reverse=reverse)]
    write(root / "shop.csv", mark + "\n".join(["id,photo,shelf,part", *rows, ""]).encode())


@dataclass(frozen=True)
class Layout:
    """How data is laid out; what is right is the count by hand, or the error and what it says.

    unknown: photos on shelves that the bundle does not know, allowed by name. tampered: what was done to the bundle.
    """

    name: str
    lay_out: Callable[[Path], None]
    error: type[Exception] | None = None
    said: str = ""
    options: EvaluateOptions | None = None
    tampered: Callable[[dict[str, list[object]]], None] | None = None


def reversed_classes(description: dict[str, list[object]]) -> None:
    description["categories"].reverse()


ALLOW = EvaluateOptions(allow_missing_classes=True)
UNKNOWN = "1 of the 5 categories of split 'test' are unknown to the bundle"
LAYOUTS = [
    Layout("as trained", plain),
    Layout("first class missing", lambda root: shelved(root, SHELVES, without(FIRST))),
    Layout("middle class missing", lambda root: shelved(root, SHELVES, without(MIDDLE))),
    Layout("last class missing", lambda root: shelved(root, SHELVES, without(LAST))),
    Layout("first class missing everywhere", lambda root: shelved(root, without(FIRST))),
    Layout("only two classes, 10 and 2", lambda root: shelved(root, SHELVES, without("Apple", "Caf\u00e9", "Mug"))),
    Layout("empty folder in one split", empty_in_test),
    Layout("empty folder", empty_everywhere, SourceError, "1 class folders hold no photo: Nothing"),
    Layout("extra folder", extra_in_test, LabelMismatchError, "(?s)1 of the 6 .*unknown: *Aardvark"),
    Layout("extra folder, allowed by name", extra_in_test, options=ALLOW),
    Layout("extra folder beside the splits", extra_beside_splits, SourceError, "beside them lies: unsorted"),
    Layout("hidden and system folders", hidden),
    Layout(
        "names that differ in case", lambda root: shelved(root, SHELVES, renamed("Mug", "mug")), TaxonomyError, "'mug'"
    ),
    Layout(
        "another case than trained", lambda root: shelved(root, renamed("Mug", "mug")), LabelMismatchError, UNKNOWN
    ),
    Layout(
        "another Unicode form than trained", lambda root: shelved(root, renamed("Caf\u00e9", "Cafe\u0301")),
        LabelMismatchError, UNKNOWN,
    ),
    Layout(
        "a trailing space", lambda root: shelved(root, SHELVES, renamed("Mug", "Mug ")), TaxonomyError, "'Mug '"
    ),
    Layout("numbers with zeros", lambda root: shelved(root, renamed("2", "02")), LabelMismatchError, UNKNOWN),
    Layout(
        "a class renamed, as many photos", lambda root: shelved(root, renamed("Apple", "Bread")), LabelMismatchError,
        UNKNOWN,
    ),
    Layout("two classes exchanged, as many photos", exchanged, LabelMismatchError, "labels look permuted: .*'Mug' means"),
    Layout("links to photos", linked_photos),
    Layout("a link to a folder", linked_folder, SourceError, "1 folders are links, which are not followed: test/Ant"),
    Layout("a table in another order", lambda root: as_table(root, reverse=True, test=without(FIRST))),
    Layout("a table with a byte order mark", lambda root: as_table(root, reverse=False, mark=b"\xef\xbb\xbf")),
    Layout(
        "class list permuted in the bundle", plain, BundleError, "bundle_invalid: ", tampered=reversed_classes
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layouts")
    for name, kind in SHELVES.items():
        for number in range(8):
            write(root / "photos/train" / name / f"{number}.jpg", photo(kind, number))
    ingest(FolderSource(root / "photos"), root / "shop.catalog")
    embed(root / "shop.catalog", SMALL)
    train(root / "shop.catalog", root / "shop.bundle")
    return root / "shop.bundle"


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    return Bundle.load(bundle_folder)


def tampered(bundle: Path, to: Path, change: Callable[[dict[str, list[object]]], None]) -> Path:
    """Change bundle.json and compute the manifest anew, as who owns the file can."""
    shutil.copytree(bundle, to)
    description = json.loads((to / "bundle.json").read_text())
    change(description)
    (to / "bundle.json").write_text(json.dumps(description))
    manifest = json.loads((to / "MANIFEST.json").read_text())
    manifest["bundle.json"] = hashlib.sha256((to / "bundle.json").read_bytes()).hexdigest()
    (to / "MANIFEST.json").write_text(json.dumps(manifest))
    return to


_said: dict[bytes, str] = {}


def by_hand(bundle: Bundle, root: Path) -> list[tuple[str, str]]:
    """The shelf that each usable test photo lies on, and the shelf that predict says."""
    files = [path for path in sorted((root / "test").rglob("*.jpg")) if path.resolve().is_relative_to(root)]
    files = [path for path in files if not any(part.startswith((".", "__")) for part in path.relative_to(root).parts)]
    fresh = [path for path in files if path.read_bytes() not in _said]  # the same photos lie in many layouts
    for path, one in zip(fresh, predict(bundle, fresh, PredictOptions(top=1)) if fresh else (), strict=True):
        _said[path.read_bytes()] = one.answers[0][0]
    return [(path.parent.name, _said[path.read_bytes()]) for path in files]


def measured(bundle: Bundle, root: Path, options: EvaluateOptions | None) -> float:
    """Ingest, embed and evaluate, and check that every product is filed under the name that it lies under."""
    catalog = root.with_name("other.catalog")
    if (root / "shop.csv").exists():
        ingest(TableSource(root / "shop.csv", CSV), catalog)
    else:
        ingest(FolderSource(root), catalog)
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    assert all(row["category"] == Path(row["product_id"]).parent.name for row in rows)
    embed(catalog, SMALL)
    metrics = evaluate(bundle, catalog, options=options).metrics
    return float(metrics["top1"]["value"])


def test_there_are_24_layouts():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS) == 24


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_ends_with_the_right_mapping_or_a_clear_error(
    layout: Layout, bundle: Bundle, bundle_folder: Path, tmp_path: Path
):
    started, root = time.perf_counter(), tmp_path / "photos"
    layout.lay_out(root)
    if layout.error:
        with pytest.raises(layout.error, match=layout.said):
            if layout.tampered:
                bundle = Bundle.load(tampered(bundle_folder, tmp_path / "x.bundle", layout.tampered))
            measured(bundle, root, layout.options)
    else:
        pairs = by_hand(bundle, root)
        right = sum(truth == answer for truth, answer in pairs)
        assert len(pairs) / 2 < right < len(pairs)
        assert measured(bundle, root, layout.options) == pytest.approx(right / len(pairs))
    record(
        f"T16 layout: {layout.name}", 1, 0, time.perf_counter() - started, 0,
        "classes by their place in a folder give another accuracy",
    )  # fmt: skip


def test_classes_by_their_place_in_the_folder_are_seen_to_give_another_accuracy(bundle: Bundle, tmp_path: Path):
    columns = bundle.categories
    for missing, shifts in ((FIRST, True), (MIDDLE, True), (LAST, False)):
        root = tmp_path / missing
        shelved(root, without(), without(missing))
        pairs, folders = by_hand(bundle, root), sorted(path.name for path in (root / "test").iterdir())
        by_name = sum(truth == answer for truth, answer in pairs)
        by_place = sum(folders.index(truth) == columns.index(answer) for truth, answer in pairs)
        assert (by_place < by_name - 4) == shifts


def test_a_photo_of_a_class_that_was_never_learned_is_answered_with_one_that_was(bundle: Bundle, tmp_path: Path):
    write(tmp_path / "new" / "sneaker.jpg", photo("sneaker", 3))
    answer = next(predict(bundle, [tmp_path / "new"], PredictOptions(top=99)))
    assert sorted(category for category, _, _ in answer.answers) == sorted(SHELVES)
    assert sum(probability for _, _, probability in answer.answers) == pytest.approx(1, abs=1e-5)


MISMATCHES = {
    "two swapped": [1, 0, 2],
    "shifted by one": [1, 2, 0],
    "mirrored": [2, 1, 0],
    "middle two swapped": [0, 2, 1, 3, 4],
    "five shifted by one": [1, 2, 3, 4, 0],
    "five reversed": [4, 3, 2, 1, 0],
}


def simulated(rng: np.random.Generator, n: int, c: int, accuracy: float, renaming: list[int] | None = None) -> Answers:
    """Answer rightly with the given probability, else any category; then rename the answers."""
    truth = rng.integers(0, c, n)
    answer = np.where(rng.random(n) < accuracy, truth, rng.integers(0, c, n))
    answer = answer if renaming is None else np.array(renaming)[answer]
    tree = Taxonomy([Node(f"k{number:02}", f"Kind {number}", None) for number in range(c)])
    ids = [str(row) for row in range(n)]
    probabilities = np.eye(c, dtype=np.float32)[answer]
    return Answers.from_probabilities(ids, truth.astype(np.int32), probabilities, Columns(tree.leaves, tree))


def test_the_permutation_alarm_fires_on_six_of_six_mismatches_and_on_none_of_a_thousand_healthy_models():
    started, rng = time.perf_counter(), np.random.default_rng(16)
    for renaming in MISMATCHES.values():
        for n in (5 * 20, 2_000):
            found = permuted_labels(confusion(simulated(rng, n, len(renaming), 0.9, renaming)))
            assert found is not None
            moved = {f"k{after:02}": f"k{before:02}" for before, after in enumerate(renaming) if before != after}
            assert found.renamed == moved
    runs = 10_000 if tier() == "release" else 1_000
    alarms = 0
    for _ in range(runs):
        c = int(rng.integers(2, 12))
        healthy = simulated(rng, int(rng.integers(20, 600)), c, float(rng.uniform(0, 1)))
        alarms += permuted_labels(confusion(healthy)) is not None
    assert alarms == 0
    record(
        "T16 permutation alarm", runs + 2 * len(MISMATCHES), alarms, time.perf_counter() - started, 16, "6 renamings"
    )
