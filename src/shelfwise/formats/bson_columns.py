"""Many BSON documents at once: those in Cdiscount's exact layout by comparing bytes in bulk, the others one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.formats.bson_document import BadDocument, Document, read_document

_Places = NDArray[np.int64]

# The bytes before the first picture in train.bson and in test.bson, and those before each picture.
_SIZED_ID = [("size", "<i4"), ("id_name", "S5"), ("id", "<i4")]
_IMAGES = [("images_name", "S6"), ("images_size", "<i4")]
_LABELED = np.dtype([*_SIZED_ID, ("category_name", "S13"), ("category", "<i4"), *_IMAGES])
_UNLABELED = np.dtype([*_SIZED_ID, *_IMAGES])
_IMAGE = np.dtype(
    [("name", "S3"), ("size", "<i4"), ("picture_name", "S9"), ("length", "<i4"), ("subtype", "u1")]
)  # fmt: skip
_NAMES = {
    "id_name": b"\x10_id\0", "category_name": b"\x10category_id\0", "images_name": b"\x04imgs\0",
    "picture_name": b"\x05picture\0",
}  # fmt: skip
# The name of an image is its number, of one digit; whoever has more images is read one by one.
_MOST_IMAGES = 10
# Readable bytes that must follow the last document, so that a template can be laid over any place within it.
SLACK = max(_LABELED.itemsize, _IMAGE.itemsize)


@dataclass(frozen=True, slots=True)
class Columns:
    """d documents in order, and their p pictures.

    offset, length, id, category: (d,) int64; labeled: (d,) whether there is a category; first: (d + 1,) the place of each
    document's first picture; picture_offset, picture_length: (p,) int64. Offsets count from the beginning of the file.
    """

    offset: _Places
    length: _Places
    id: _Places
    category: _Places
    labeled: NDArray[np.bool_]
    first: _Places
    picture_offset: _Places
    picture_length: _Places

    def __len__(self) -> int:
        return len(self.offset)

    def documents(self) -> Iterator[Document]:
        """Go through the documents one by one."""
        first = self.first.tolist()
        pictures = list(zip(self.picture_offset.tolist(), self.picture_length.tolist(), strict=True))
        columns = (self.offset, self.length, self.id, self.category, self.labeled)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for place, (offset, length, product, category, labeled) in enumerate(rows):
            images = tuple(pictures[first[place] : first[place + 1]])
            yield Document(offset, length, product, category if labeled else None, images)


def joined(parts: Sequence[Columns]) -> Columns:
    """Put columns one below the other."""
    if not parts:
        return _columns([])
    starts = np.cumsum([0, *(part.first[-1] for part in parts)])
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Columns) if f.name != "first"
    }
    first = np.concatenate([part.first[:-1] + start for part, start in zip(parts, starts[:-1], strict=True)])
    return Columns(**columns, first=np.append(first, starts[-1]))


def read_columns(
    block: NDArray[np.uint8], starts: _Places, stops: _Places, offset: int
) -> tuple[Columns, list[BadDocument]]:
    """Read the documents at `starts` (to before `stops`) of a block of bytes.

    Each size must be right, each last byte zero, and SLACK bytes must follow the last one; offset: of the block's first byte
    in the file.
    """
    exact, found = _exact(block, starts, stops, offset)
    others = np.flatnonzero(~found)
    if not len(others):
        return exact, []
    good, bad = [], []
    for start, stop in zip(starts[others].tolist(), stops[others].tolist(), strict=True):
        document = read_document(block[start:stop].tobytes(), offset + start)
        if isinstance(document, Document):
            good.append(document)
        else:
            bad.append(document)
    if good:
        exact = _columns(sorted([*exact.documents(), *good], key=lambda document: document.offset))
    return exact, bad


def _columns(documents: Sequence[Document]) -> Columns:
    rows = np.array([(d.offset, d.length, d.id, d.category or 0) for d in documents], dtype=np.int64).reshape(-1, 4)
    pictures = np.array([picture for d in documents for picture in d.pictures], dtype=np.int64).reshape(-1, 2)
    labeled = np.array([d.category is not None for d in documents], dtype=bool)
    first = np.cumsum([0, *(len(d.pictures) for d in documents)])
    return Columns(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], labeled, first, pictures[:, 0], pictures[:, 1])


def _exact(block: NDArray[np.uint8], starts: _Places, stops: _Places, offset: int) -> tuple[Columns, NDArray[np.bool_]]:
    """Read the documents that follow one of the templates to the last byte; tell for each whether it does."""
    product, category, images = np.repeat([[0], [0], [-1]], len(starts), axis=1)
    labeled, found = np.full((2, len(starts)), False)
    for template in (_LABELED, _UNLABELED):
        rest = np.flatnonzero(images < 0)
        if not len(rest):
            break
        head = _laid(template, block, starts[rest])
        fits = _named(head) & (head["images_size"] == stops[rest] - starts[rest] - template.itemsize + 3)
        fits &= block[stops[rest] - 2] == 0
        place, head = rest[fits], head[fits]
        product[place], images[place] = head["id"], starts[place] + template.itemsize
        if template is _LABELED:
            category[place], labeled[place] = head["category"], True
    of, place, length = _pictures(block, images, stops)
    found[of] = True
    first = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(starts))[found])])
    at, size = starts[found] + offset, (stops - starts)[found]
    columns = Columns(at, size, product[found], category[found], labeled[found], first, place + offset, length)
    return columns, found


def _pictures(block: NDArray[np.uint8], images: _Places, stops: _Places) -> tuple[_Places, _Places, _Places]:
    """Walk the images of all documents in step, from where the first one begins (-1 for none).

    Returns document, start and length of each picture, of the documents whose images end where they should.
    """
    ended = np.full(len(images), False)
    steps = []
    of = np.flatnonzero(images >= 0)
    at, stop = images[of], stops[of]
    for number in range(_MOST_IMAGES):
        head = _laid(_IMAGE, block, at)
        start = at + _IMAGE.itemsize
        end = start + head["length"]
        fits = _named(head) & (head["name"] == b"\x03%d\0" % number) & (head["size"] - head["length"] == 19)
        # Behind the bytes of a picture follow three zeros at least: of its document, of the array, and of all.
        fits &= (head["subtype"] == 0) & (start <= end) & (end + 3 <= stop)
        if not fits.all():
            of, start, end, stop = of[fits], start[fits], end[fits], stop[fits]
        steps.append((of, start, end))
        last = end + 3 == stop
        ended[of[last]] = True
        more = ~last
        of, at, stop = of[more], end[more] + 1, stop[more]
        if not len(of):
            break
    of, start, end = (np.concatenate(column) for column in zip(*steps, strict=True))
    ended[of[block[end] != 0]] = False
    kept = ended[of]
    of, start, length = of[kept], start[kept], (end - start)[kept]
    order = np.argsort(of, kind="stable")
    return of[order], start[order], length[order]


def _laid(template: np.dtype[Any], block: NDArray[np.uint8], places: _Places) -> NDArray[Any]:
    """Lay a template over places of a block; gathered as raw bytes, which costs a tenth of gathering them one by one."""
    anywhere = np.ndarray(
        (len(block) - template.itemsize + 1,), f"V{template.itemsize}", buffer=block, strides=(1,)
    )  # fmt: skip
    return anywhere[places].view(template)


def _named(head: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where all names stand as they should. numpy pads text with zeros: the last byte of each name is compared too."""
    first, *others = (head[name] == _NAMES[name] for name in head.dtype.names or () if name in _NAMES)
    for other in others:
        first &= other
    return np.asarray(first)
