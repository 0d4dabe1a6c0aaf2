"""Plant faults that are known among photos: copies, placeholders, blank pictures, and repeats that are no fault."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from shelfwise.audit.alike import Alike, find_alike
from shelfwise.audit.findings import Found
from shelfwise.audit.measures import blocks, measure_pictures
from shelfwise.audit.placeholders import blank_pictures
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.images.draw import draw_placeholder, encode_jpeg
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.options import AuditOptions


def compared(path: Path, radius: int = AuditOptions.radius) -> tuple[Catalog, Alike]:
    """Measure and compare the pictures of a catalog, as audit does."""
    catalog = Catalog(path)
    measure_pictures(catalog)
    inventory = take_inventory(catalog)
    blank = blank_pictures(blocks(catalog, inventory), inventory.pictures)
    return catalog, find_alike(catalog, inventory, AuditOptions(radius=radius), blank=blank)


def products(catalog: Catalog, found: Found) -> list[str]:
    return catalog.product_ids(found.product)


def sets(catalog: Catalog, found: Found) -> set[frozenset[str]]:
    """The products of each set."""
    ids = np.array(products(catalog, found))
    return {frozenset(ids[found.set == number].tolist()) for number in range(found.sets)}


def of_kind(found: Iterable[Found], kind: str) -> Found:
    (one,) = (each for each in found if each.kind == kind)
    return one


def saved(image: Image.Image, quality: int = 90, form: str = "JPEG") -> bytes:
    file = io.BytesIO()
    image.save(file, form, quality=quality)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def smaller(data: bytes, times: int) -> bytes:
    image = opened(data)
    return saved(image.resize((image.width // times, image.height // times), Image.Resampling.LANCZOS))


def cropped(data: bytes, share: float) -> bytes:
    image = opened(data)
    return saved(ImageOps.crop(image, round(min(image.size) * share)))


def framed(data: bytes, share: float) -> bytes:
    image = opened(data)
    return saved(ImageOps.expand(image, round(min(image.size) * share), (255, 255, 255)))


COPIES: dict[str, Callable[[bytes], bytes]] = {
    "exact": lambda data: data,
    "quality 70": lambda data: saved(opened(data), 70),
    "half size": lambda data: smaller(data, 2),
    "quarter size": lambda data: smaller(data, 4),
    "quality 30": lambda data: saved(opened(data), 30),
    "PNG": lambda data: saved(opened(data), form="PNG"),
    "cropped by 1 %": lambda data: cropped(data, 0.01),
    "cropped by 3 %": lambda data: cropped(data, 0.03),
    "framed by 3 %": lambda data: framed(data, 0.03),
    "mirrored": lambda data: saved(ImageOps.mirror(opened(data))),
}


@dataclass(slots=True)
class Faults:
    """A shop's products, and what was planted among them.

    copies: by kind, products with the product that repeats them. placeholders: for each such picture the products that
    show it, or a version of it. useful, blank: products that show a table of sizes, a blank picture.
    """

    rows: list[ProductRecord] = field(default_factory=list)
    copies: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    placeholders: list[set[str]] = field(default_factory=list)
    useful: set[str] = field(default_factory=set)
    blank: set[str] = field(default_factory=set)

    def add(self, product_id: str, category: str, *photos: bytes, split: str | None = None) -> str:
        sources = tuple(PhotoSource(f"{product_id}-{place}", photo) for place, photo in enumerate(photos))
        self.rows.append(ProductRecord(product_id=product_id, photos=sources, category=category, split=split))
        return product_id


def plant(photos: Iterable[tuple[str, bytes]], kinds: Sequence[str], every: int = 1) -> Faults:
    """Make a product of each photo, given with its category; every `every`-th is repeated, by one kind of copy after the other.

    Five products of one category in six, then those of three sibling categories, show a table of sizes as well. Two
    placeholders stand alone on many shelves, one of them saved again and again, one on six; blank pictures are anywhere.
    """
    faults, by_category = Faults(), dict[str, list[int]]()
    for number, (category, data) in enumerate(photos):
        by_category.setdefault(category, []).append(number)
        one = faults.add(f"p{number}", category, data)
        if number % every == 0:
            kind = kinds[number // every % len(kinds)]
            copy = faults.add(f"p{number} {kind}", category, COPIES[kind](data))
            faults.copies.setdefault(kind, []).append((one, copy))
    shelves = sorted(by_category)
    for table, wanted in enumerate(([largest(by_category)], siblings(shelves))):
        share_a_table(faults, set(wanted), size_table(table))
    card, question = encode_jpeg(draw_placeholder()), question_mark()
    for name, chosen, pictures in (
        ("card", shelves, [card]),
        ("question", shelves, [encode_jpeg(question, 60 + n) for n in range(30)]),
        ("few", shelves[:: max(1, len(shelves) // 6)][:6], [encode_jpeg(question[::-1], 90)]),
    ):
        each = [(shelf, pictures[n % len(pictures)]) for n, shelf in enumerate(chosen)]
        faults.placeholders.append({faults.add(f"{name} {shelf}", shelf, data) for shelf, data in each})
    for name, data in blanks():
        faults.blank |= {faults.add(f"blank {name} {shelf}", shelf, data) for shelf in shelves[:2]}
    return faults


def largest(by_category: dict[str, list[int]]) -> str:
    return max(by_category, key=lambda category: len(by_category[category]))


def siblings(shelves: list[str]) -> list[str]:
    """Choose three categories of one parent, or two where no parent has three."""
    families: dict[str, list[str]] = {}
    for shelf in shelves:
        families.setdefault(shelf.rpartition("/")[0], []).append(shelf)
    return max(families.values(), key=len)[:3]


def share_a_table(faults: Faults, categories: set[str], table: bytes) -> None:
    """Give a second photo to five in six products of some categories that have one so far, copies aside."""
    repeated = {product for pairs in faults.copies.values() for pair in pairs for product in pair}
    for place, row in enumerate(faults.rows):
        if row.category in categories and row.product_id not in repeated and len(row.photos) == 1 and place % 6:
            photos = (*row.photos, PhotoSource("table", table))
            faults.rows[place] = ProductRecord(product_id=row.product_id, photos=photos, category=row.category)
            faults.useful.add(row.product_id)


def size_table(number: int, side_px: int = 200) -> bytes:
    """Draw lines of figures."""
    image = Image.new("RGB", (side_px, side_px), (255, 255, 255))
    pen, rng = ImageDraw.Draw(image), np.random.default_rng(number)
    for top in range(20, side_px - 20, 20):
        pen.line((10, top, side_px - 10, top), fill=(60, 60, 90))
        for left in range(14, side_px - 30, 40):
            pen.text((left, top + 4), str(rng.integers(30, 60)), fill=(20, 20, 20))
    pen.rectangle((10, 10, 40 + 60 * number, 18), fill=(200, 40, 40))
    return saved(image, 88)


def question_mark(side_px: int = 200) -> np.ndarray:
    """Draw a large question mark."""
    image = Image.new("RGB", (side_px, side_px), (245, 245, 245))
    pen = ImageDraw.Draw(image)
    pen.arc((60, 30, 140, 110), 180, 90, fill=(120, 120, 130), width=16)
    pen.rectangle((92, 105, 108, 140), fill=(120, 120, 130))
    pen.ellipse((90, 152, 110, 172), fill=(120, 120, 130))
    return np.asarray(image)


def blanks(side_px: int = 200) -> Iterator[tuple[str, bytes]]:
    """Draw pictures with nothing on them."""
    noise = np.random.default_rng(0).normal(0, 1.5, (side_px, side_px, 1))
    slope = np.linspace(0, 4, side_px)[:, None, None] + np.zeros((1, side_px, 1))
    for name, pixels in (
        ("white", np.full((side_px, side_px, 3), 255.0)),
        ("black", np.zeros((side_px, side_px, 3))),
        ("grey with grain", 128 + noise + np.zeros(3)),
        ("nearly white", 250 + slope + np.zeros(3)),
        ("green", np.full((side_px, side_px, 3), (40.0, 160.0, 60.0))),
    ):
        yield name, encode_jpeg(pixels.clip(0, 255).astype(np.uint8), 85)
