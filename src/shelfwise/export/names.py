"""Names of files and folders that fit every file system or, where people chose them, just this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from shelfwise.errors import CatalogError
from shelfwise.taxonomy import Taxonomy

EXTENSIONS = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "AVIF": ".avif",
}  # fmt: skip
# Bytes of a name. Source: NAME_MAX of Linux is 255; some is left for what is appended.
_LONGEST, _KEPT = 255, 180


def file_stem(text: str) -> str:
    """Turn any text into a name without an ending, of ASCII letters, digits and `_.-~%`: other bytes are written `%2F`.

    Different texts get different names; long ones end in a digest.
    """
    stem = quote(text, safe="")
    if stem.startswith("."):
        stem = f"%2E{stem[1:]}"
    return stem if len(stem) <= _KEPT else f"{stem[:_KEPT]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def fits(name: str) -> bool:
    """Tell whether a name can be a folder's or a file's as it is, and is not taken for a hidden one."""
    return (
        not name.startswith((".", "__"))
        and not any(letter in name for letter in "/\0")
        and 0 < len(name.encode()) <= _LONGEST - 20
    )


def readable(text: str) -> str:
    """Turn a text into a folder's name: itself where it fits, else with what does not written `%2F`."""
    if fits(text):
        return text
    name = file_stem(text) if len(text.encode()) > _KEPT else quote(text, safe=" !#$&'()+,;=@[]{}")
    return f"%{ord(name[0]):02X}{name[1:]}" if name.startswith((".", "_")) else name


def category_folders(taxonomy: Taxonomy) -> dict[str, str]:
    """Return for each category the path of its folder; siblings never share one."""
    folders: dict[str | None, str] = {None: ""}
    for parent in (None, *taxonomy.nodes_in_order):
        children = taxonomy.children(parent)
        taken = {taxonomy.nodes[child].name for child in children if fits(taxonomy.nodes[child].name)}
        for child in children:
            name = taxonomy.nodes[child].name
            if not fits(name):
                name = _other(readable(name), taken)
                taken.add(name)
            folders[child] = f"{folders[parent]}{name}/"
    return {node: folder.removesuffix("/") for node, folder in folders.items() if node is not None}


def _other(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}~{number}"
    return candidate


def split_stems(splits: Iterable[str | None]) -> dict[str | None, str]:
    """Return the name of each split's file, without an ending; `products` for products without one."""
    stems: dict[str | None, str] = {split: file_stem(split) for split in splits if split is not None}
    return stems | {None: _other("products", set(stems.values()))}


def write_new(folder: Path, stem: str, extension: str, data: bytes) -> str:
    """Write a file that was not there before and return its name; where the name is taken, `~2` and so on is added."""
    _make(folder)
    number, name = 1, stem + extension
    while True:
        try:
            with (folder / name).open("xb") as file:
                file.write(data)
        except FileExistsError:
            number += 1
            name = f"{stem}~{number}{extension}"
        else:
            return name


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise CatalogError(f"{folder} would be a category's folder and a photo: rename the category") from error
