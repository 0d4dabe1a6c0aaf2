"""The files of a bundle: a folder or one .zip with fixed member names, each with its sha256 in the manifest."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from shelfwise.errors import BundleError, OptionError
from shelfwise.files import new_folder, replace_folder, write_bytes

MANIFEST = "MANIFEST.json"
REQUIRED = frozenset(
    {"bundle.json", "classifier.safetensors", "golden.safetensors", "left_out.parquet", "held_out.parquet"}
)
STATISTICS, PRODUCTS = "statistics.safetensors", "learned.parquet"
NETWORK_WEIGHTS, PRODUCT_IDS = "network.safetensors", "product_ids.parquet"
_NEEDS = {STATISTICS: PRODUCTS, PRODUCTS: STATISTICS, NETWORK_WEIGHTS: PRODUCT_IDS}
KEPT = frozenset({STATISTICS, PRODUCTS, NETWORK_WEIGHTS, PRODUCT_IDS})
"""Files that a bundle may hold for changes to come. Answering needs none of them: they are read when they are asked for."""
Content = Callable[[], bytes]
_SIZE_LIMIT, _MEMBER_LIMIT = 2 * 2**30, 256


def write_members(path: Path, members: dict[str, bytes], replaces: str = "") -> str:
    """Write a folder, or one file for a name ending in .zip, in one step; return the bundle's id.

    replaces: the id of the bundle that lies there, whose place it takes. Raises OptionError when `path` exists, or is not
    that bundle any more.
    """
    if replaces:
        if id_of(path) != replaces:
            raise OptionError(f"{path} was changed meanwhile by another command: type this one again")
    elif path.exists():
        raise OptionError(f"{path} exists already: choose another name with --to, or remove it first")
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
    manifest = json.dumps(digests, indent=1).encode()
    everything = members | {MANIFEST: manifest}
    if path.suffix == ".zip":
        write_bytes(path, _zipped(everything))
        return bundle_id(manifest)
    with replace_folder(path) if replaces else new_folder(path) as part:
        for name, data in everything.items():
            write_bytes(part / name, data)
    return bundle_id(manifest)


def read_members(path: Path) -> tuple[dict[str, bytes], dict[str, Content], str]:
    """Read the files of a bundle and its id; raises BundleError for any that is strange, missing or changed.

    Those of KEPT are not read, but given as functions that do, and compare their digests then.
    """
    members, kept = _read_folder(path) if path.is_dir() else _read_zip(path)
    manifest = members.pop(MANIFEST)
    digests = read_json(MANIFEST, manifest)
    present = set(members) | kept
    for name in sorted(set(digests) ^ present):
        raise BundleError(
            name, f"is not in the manifest, {MANIFEST}" if name in present else f"is missing, and {MANIFEST} lists it"
        )
    for name, data in members.items():
        _refuse_changed(name, data, digests[name])
    return members, {name: partial(_read_kept, path, name, digests[name]) for name in kept}, bundle_id(manifest)


def content_of(data: bytes) -> Content:
    """Return what is in memory like a file that is read when it is asked for."""
    return lambda: data


def id_of(path: Path) -> str:
    """Return the id of the bundle that lies at a path, without a check of its files."""
    try:
        if path.is_dir():
            return bundle_id((path / MANIFEST).read_bytes())
        with zipfile.ZipFile(path) as archive:
            return bundle_id(archive.read(MANIFEST))
    except (OSError, KeyError, zipfile.BadZipFile, ValueError):
        return ""


def _refuse_changed(name: str, data: bytes, digest: str) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleError(name, f"sha256 differs from the manifest, {MANIFEST}")


def _read_kept(path: Path, name: str, digest: str) -> bytes:
    try:
        if path.is_dir():
            data = (path / name).read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                data = archive.read(name)
    except (OSError, KeyError, ValueError, EOFError, struct.error, zipfile.BadZipFile) as error:
        raise BundleError(name, f"cannot be read ({error})") from error
    _refuse_changed(name, data, digest)
    return data


def read_json(name: str, data: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises BundleError for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(name, f"is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise BundleError(name, "is not a JSON object")
    return value


def bundle_id(manifest: bytes) -> str:
    """Return the short name of a bundle's exact content."""
    return hashlib.sha256(manifest).hexdigest()[:16]


def _read_folder(path: Path) -> tuple[dict[str, bytes], set[str]]:
    files = [file for file in path.rglob("*") if file.is_symlink() or not file.is_dir()]
    sizes = {file.relative_to(path).as_posix(): file.lstat().st_size for file in files}
    _check_listing(list(sizes), sum(sizes.values()))
    for file in files:
        if file.is_symlink() or not file.is_file():
            raise BundleError(file.name, "is a link or a device")
    return {name: (path / name).read_bytes() for name in sizes.keys() - KEPT}, set(KEPT & sizes.keys())


def _read_zip(path: Path) -> tuple[dict[str, bytes], set[str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_listing([entry.filename for entry in entries], sum(entry.file_size for entry in entries))
            for entry in entries:  # stored as they are, so that no small file can become a big one
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                    raise BundleError(entry.filename, "is compressed, which the files of a bundle are not")
            names = {entry.filename for entry in entries}
            return {name: archive.read(name) for name in names - KEPT}, set(KEPT & names)
    except FileNotFoundError:
        raise BundleError(
            str(path), "does not exist: make one with  shelfwise train CATALOG --to NAME.bundle"
        ) from None
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, struct.error) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(str(path), f"is neither a bundle folder nor a .zip of one ({error})") from error


def _check_listing(names: list[str], size_bytes: int) -> None:
    def allowed(name: str) -> bool:
        folder, _, leaf = name.rpartition("/")
        if folder == "golden":
            return leaf.isdigit()
        if folder == "backbones":
            return leaf.endswith(".onnx") and ".." not in leaf
        return name in REQUIRED | KEPT | {MANIFEST}

    strange = [name for name in names if not allowed(name)]
    if "head.safetensors" in strange:
        raise BundleError("head.safetensors", "was written by an early shelfwise (format 1): train again")
    if strange:
        raise BundleError(strange[0], "is no part of a bundle")
    missing = sorted((REQUIRED | {MANIFEST}) - set(names))
    missing += [needed for name, needed in _NEEDS.items() if name in names and needed not in names]
    if missing:
        raise BundleError(missing[0], "is missing")
    if len(set(names)) < len(names):
        raise BundleError(next(name for name in names if names.count(name) > 1), "occurs twice")
    if size_bytes > _SIZE_LIMIT or len(names) > _MEMBER_LIMIT:
        raise BundleError(
            names[0], f"{len(names)} files of {size_bytes} bytes, the limit is {_MEMBER_LIMIT} and {_SIZE_LIMIT}"
        )


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()
