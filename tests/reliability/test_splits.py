"""T16, splits: decided by the product alone, never across what belongs together, and measured on planted copies."""

from __future__ import annotations

import io
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scoreboard import record, tier

from drawn_shop import GROCERY, photo, run_python, tiny, write
from shelfwise.catalog import Catalog
from shelfwise.images.draw import KINDS
from shelfwise.index.bonds import Bonds, incidence
from shelfwise.index.look_alikes import look_alikes, thumbnail
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import SplitOptions
from shelfwise.split import split
from shelfwise.split.assign import Plan, Rows, assign
from shelfwise.statistics.spread import Shelves

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class SmallCatalog:
    """Products with a group, a category and pictures; pictures that look alike."""

    groups: dict[str, str | None]
    categories: dict[str, str | None]
    pictures: dict[str, set[int]]
    alike: set[tuple[int, int]]

    @classmethod
    def draw(cls, rng: random.Random, bound: bool = True) -> SmallCatalog:
        ids = [f"p{number}" for number in rng.sample(range(1000), rng.randint(2, 40))]
        groups = {p: rng.choice([None, None, *"abcdefgh"]) for p in ids}
        pictures = {p: set(rng.sample(range(60), rng.randint(0, 3))) if bound else set() for p in ids}
        alike = {tuple(sorted(rng.sample(range(60), 2))) for _ in range(rng.randint(0, 10))} if bound else set()
        return cls(groups, {p: rng.choice([None, "x", "y"]) for p in ids}, pictures, alike)  # type: ignore[arg-type]

    def bound_pairs(self) -> Iterator[tuple[str, str]]:
        """Go through the pairs of products that belong together, compared one with another."""
        for one, other in combinations(self.groups, 2):
            alike = any(
                a == b or (min(a, b), max(a, b)) in self.alike for a in self.pictures[one] for b in self.pictures[other]
            )
            if alike or (self.groups[one] is not None and self.groups[one] == self.groups[other]):
                yield one, other

    def split(self, plan: Plan, order: list[str] | None = None, before: dict[str, str] | None = None) -> dict[str, str]:
        ids = order or list(self.groups)
        names = sorted({group for group in self.groups.values() if group})
        members = [(row, names.index(group)) for row, p in enumerate(ids) if (group := self.groups[p])]
        shown = [(row, picture) for row, p in enumerate(ids) for picture in self.pictures[p]]
        (i, j), (m, g), (p, n) = (
            np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2).T for pairs in (self.alike, members, shown)
        )
        groups, pictures = incidence(m, g, (len(ids), len(names))), incidence(p, n, (len(ids), 60))
        no_shelves = Shelves(np.empty((0, 0), np.int32), np.empty(0, np.int64))
        units = Bonds(groups, pictures, (i, j), np.full(len(ids), -1), no_shelves).units()
        splits = [(before or {}).get(p) for p in ids]
        columns = ([self.groups[p] for p in ids], units, [self.categories[p] for p in ids])
        return dict(zip(ids, assign(Rows(ids, *columns, splits), plan), strict=True))


def digest(sides: dict[str, str]) -> str:
    return sha256(repr(sorted(sides.items())).encode()).hexdigest()


SALTED = """
import sys
import shelfwise.split.assign as module
import numpy as np
if sys.argv[1] == "salted":
    module._hash = lambda seed, *words: hash((seed, *words)) % 2**64
ids = [f"p{number}" for number in range(300)]
rows = module.Rows(ids, [None] * 300, np.arange(300), [None] * 300, [None] * 300)
print(module.assign(rows, module.Plan(shares={"train": 0.6, "val": 0.2, "test": 0.2})))
"""


def test_twenty_orders_of_the_same_products_have_one_digest_per_seed():
    started, rng = time.perf_counter(), random.Random(0)
    catalogs = [SmallCatalog.draw(random.Random(number)) for number in range(6)]
    digests = {
        (number, seed, stratify, digest(catalog.split(Plan(shares=SHARES, seed=seed, stratify=stratify), order)))
        for number, catalog in enumerate(catalogs) for stratify in (False, True) for seed in SEEDS
        for order in [rng.sample(list(catalog.groups), len(catalog.groups)) for _ in range(20)]
    }  # fmt: skip
    assert len(digests) == 6 * 2 * 3
    assert len({one[3] for one in digests}) > 6 * 2

    def answered(way: str) -> set[str]:
        return {run_python(SALTED, way, env={"PYTHONHASHSEED": str(salt)}).stdout for salt in (1, 2)}

    ours, salted = answered("ours"), answered("salted")
    assert "" not in ours | salted
    assert (len(ours), len(salted)) == (1, 2)
    seconds = time.perf_counter() - started
    record(
        "T16 orders", 20 * len(digests), 0, seconds, 0, "Python's salted hash() gives another digest in each process"
    )


@pytest.mark.parametrize("file_system", ["temporary", "shared memory"])
def test_the_order_in_which_files_are_made_and_the_file_system_do_not_matter(tmp_path: Path, file_system: str):
    started = time.perf_counter()
    if file_system == "shared memory" and not Path("/dev/shm").is_dir():
        pytest.skip("there is no /dev/shm")
    names = [f"{'abc'[number % 3]}/{number}.jpg" for number in range(30)]
    orders = 20 if tier() == "release" else 3
    with tempfile.TemporaryDirectory(dir="/dev/shm" if file_system == "shared memory" else tmp_path) as folder:
        digests = defaultdict(set)
        for number in range(orders):
            for name in random.Random(number).sample(names, len(names)):
                write(Path(folder, str(number), "photos", name), tiny(names.index(name)))
            ingest(FolderSource(Path(folder, str(number), "photos")), Path(folder, str(number), "shop.catalog"))
            for seed in SEEDS:
                digests[seed].add(digest(split_of(Path(folder, str(number), "shop.catalog"), seed)))
    rows = Rows(names, [None] * 30, np.arange(30), [None] * 30, [None] * 30)
    for seed in SEEDS:
        plan = Plan(shares={"train": 0.8, "val": 0.1, "test": 0.1}, seed=seed)
        assert digests[seed] == {digest(dict(zip(names, assign(rows, plan), strict=True)))}
    record(
        f"T16 orders, {file_system} file system", orders * 3, 0, time.perf_counter() - started, 0,
        "Python's salted hash() gives another digest in each process",
    )  # fmt: skip


def split_of(catalog: Path, seed: int = 0, **options: object) -> dict[str, str]:
    split(catalog, SplitOptions(seed=seed, again=True, **options))  # type: ignore[arg-type]
    table = Catalog(catalog).products(["product_id", "split"])
    return dict(zip(table.column("product_id").to_pylist(), table.column("split").to_pylist(), strict=True))


def test_a_tenth_more_rows_move_no_old_row():
    started, moved, rows = time.perf_counter(), Counter[str](), 0
    for number in range(1_000 if tier() == "release" else 100):
        rng = random.Random(number)
        plan = Plan(shares=SHARES, seed=number)
        for way, bound in (("old splits known", True), ("built anew", False)):
            whole = SmallCatalog.draw(rng, bound)
            old = dict(list(whole.groups.items())[: max(1, round(len(whole.groups) / 1.1))])
            before = replace(whole, groups=old).split(plan)
            rows += len(before)
            for stratify in (False, True) if bound else (False,):
                after = whole.split(replace(plan, stratify=stratify), None, before if bound else None)
                moved[way] += sum(after[p] != side for p, side in before.items())
        shuffled = [
            dict(zip(ids, np.random.default_rng(0).permutation(len(ids)), strict=True)) for ids in (whole.groups, old)
        ]
        moved["control"] += sum(
            (shuffled[0][p] < len(whole.groups) / 2) != (shuffled[1][p] < len(old) / 2) for p in old
        )
    assert (moved["old splits known"], moved["built anew"]) == (0, 0)
    assert moved["control"] > rows / 20
    record(
        "T16 a tenth more rows", rows, 0, time.perf_counter() - started, 0, "a seeded shuffle of rows moves old ones"
    )


def test_what_belongs_together_never_lies_in_two_splits():
    started, crossed, n = time.perf_counter(), Counter[str](), 10_000 if tier() == "release" else 500
    for number in range(n):
        catalog = SmallCatalog.draw(random.Random(number))
        pairs = list(catalog.bound_pairs())
        for stratify in (False, True):
            sides = catalog.split(Plan(shares=SHARES, seed=number, stratify=stratify))
            assert sides.keys() == catalog.groups.keys()
            assert set(sides.values()) <= SHARES.keys()
            crossed["ours"] += sum(sides[one] != sides[other] for one, other in pairs)
        photos = [f"{p}#{picture}" for p, shown in catalog.pictures.items() for picture in sorted(shown)]
        nothing: list[str | None] = [None] * len(photos)
        by_photo = Rows(photos, nothing, np.arange(len(photos)), nothing, nothing)
        of_product = defaultdict(set)
        for photo_id, side in zip(photos, assign(by_photo, Plan(shares=SHARES)), strict=True):
            of_product[photo_id.split("#")[0]].add(side)
        crossed["by photo"] += sum(len(sides) > 1 for sides in of_product.values())
    assert crossed["ours"] == 0
    assert crossed["by photo"] > n
    record(
        "T16 no product and no bond across splits", n, 0, time.perf_counter() - started, 0,
        "splitting by photo tears products apart",
    )  # fmt: skip


def jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


COPIES: dict[str, Callable[[bytes, Image.Image], bytes]] = {
    "exact": lambda data, _: data,
    "quality 70": lambda _, image: jpeg(image, 70),
    "half size": lambda _, image: jpeg(image.resize((image.width // 2, image.height // 2)), 90),
    "padded": lambda _, image: jpeg(ImageOps.expand(image, image.width // 20, (255, 255, 255)), 90),
    "mirrored": lambda _, image: jpeg(ImageOps.mirror(image), 90),
}
FOUND_AT_LEAST = {"exact": 1.0, "quality 70": 0.99, "half size": 0.99, "padded": 0.0, "mirrored": 0.0}


def originals(n: int) -> list[bytes]:
    """Take photos of the Grocery Store Dataset; drawn ones where it is absent."""
    files = sorted((GROCERY / "dataset" / "train").rglob("*.jpg"))
    if files:
        return [file.read_bytes() for file in random.Random(0).sample(files, n)]
    return [photo(KINDS[number % 12], 3_000 + number) for number in range(n)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog in which every photo lies once more for every kind of copy, as a product of its own."""
    root = tmp_path_factory.mktemp("planted")
    for number, data in enumerate(originals(200 if tier() == "release" else 60)):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        write(root / f"photos/{number % 5}/{number:03} original.jpg", data)
        for kind, copied in COPIES.items():
            write(root / f"photos/{number % 5}/{number:03} {kind}.jpg", copied(data, image))
    ingest(FolderSource(root / "photos"), root / "shop.catalog")
    return root / "shop.catalog"


def found_pairs(catalog: Path) -> set[tuple[str, str]]:
    """Pairs of original and copy that are the same file, or look alike."""
    opened = Catalog(catalog)
    images = opened.images(["product_id", "sha256", "perceptual_hash"]).to_pydict()
    hashes = np.array(images["perceptual_hash"], dtype=np.uint64)
    pairs = look_alikes(hashes, lambda rows: np.stack([thumbnail(data) for data in opened.image_bytes(rows)]))
    ids = images["product_id"]
    found = {(ids[i], ids[j]) for i, j in zip(*(side.tolist() for side in pairs), strict=True)}
    same = [(a, b) for (a, x), (b, y) in combinations(zip(ids, images["sha256"], strict=True), 2) if x == y]
    return {tuple(sorted(pair)) for pair in found | set(same)}  # type: ignore[misc]


def test_planted_copies_are_found_and_none_that_is_found_crosses(planted: Path):
    started, found = time.perf_counter(), found_pairs(planted)
    ids = Catalog(planted).products(["product_id"]).column("product_id").to_pylist()
    first = [p for p in ids if p.endswith("original.jpg")]
    of_kind = {kind: [(p, p.replace("original", kind)) for p in first] for kind in COPIES}
    count = {kind: sum(tuple(sorted(pair)) in found for pair in pairs) for kind, pairs in of_kind.items()}
    for kind, least in FOUND_AT_LEAST.items():
        assert count[kind] >= least * len(first), count
    halves = "train=0.5,test=0.5"
    sides, unaware = (split_of(planted, shares=halves, look_alikes=way) for way in (True, False))
    across = [pair for pair in found if sides[pair[0]] != sides[pair[1]]]
    assert across == []
    assert all(sides[a] == sides[b] for a, b in of_kind["exact"] + of_kind["quality 70"] + of_kind["half size"])
    assert all(unaware[a] == unaware[b] for a, b in of_kind["exact"])
    assert sum(unaware[a] != unaware[b] for a, b in of_kind["quality 70"]) > len(first) / 5
    measured = ", ".join(f"{kind} {n} of {len(first)}" for kind, n in count.items())
    record(
        f"T16 planted copies found: {measured}", len(first) * len(COPIES), len(across), time.perf_counter() - started, 0,
        "without look-alikes, photos saved again cross",
    )  # fmt: skip


def test_look_alikes_of_different_originals_are_rare(planted: Path):
    strangers = {(a, b) for a, b in found_pairs(planted) if a.split()[0] != b.split()[0]}
    products = len(Catalog(planted).products(["product_id"]))
    assert len(strangers) <= products / 20, sorted(strangers)[:5]
