"""A bundle: what was learned, in a folder or one .zip, checked before it answers. No pickle, nothing that runs code."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from shelfwise import __version__
from shelfwise.backbones.extractor import Extractor
from shelfwise.backbones.features import FeatureLayout
from shelfwise.errors import BackboneError, BundleError, TaxonomyError
from shelfwise.files import sync_folder, write_bytes
from shelfwise.statistics.head import Head, softmax
from shelfwise.taxonomy import Node, Taxonomy

BUNDLE_FORMAT = 1
_SIZE_LIMIT, _MEMBER_LIMIT = 2 * 2**30, 256
_REQUIRED = {"bundle.json", "head.safetensors", "golden.safetensors"}
# How far a probability of a golden image may move between machines: int8 kernels round differently, fp32 ones hardly.
_GOLDEN_TOLERANCE = {"fp32": 1e-3, "int8": 3e-2}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A classifier of photos.

    categories: ids of the columns of the head, in the order of its weights; golden: encoded pictures with the
    probabilities (m, c) expected for them; facts: options, data, estimates, for people and reports; weights: files of
    backbones that do not come with shelfwise, by card name.
    """

    layout: FeatureLayout
    taxonomy: Taxonomy
    categories: tuple[str, ...]
    head: Head
    temperature: float
    facts: dict[str, Any]
    golden: tuple[bytes, ...] = ()
    golden_probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    weights: dict[str, bytes] = field(default_factory=dict)
    id: str = ""

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute calibrated probabilities (n, c) of feature vectors (n, d)."""
        return np.asarray(softmax(self.head.scores(x), self.temperature), dtype=np.float32)

    @cached_property
    def extractors(self) -> list[Extractor]:
        """Backbones ready to run, in the order of the layout."""
        return [Extractor(spec, embedded=self.weights.get(spec.card.name)) for spec in self.layout.specs]

    def features_of(self, pictures: Sequence[bytes]) -> NDArray[np.float32]:
        """Compute feature vectors (n, d) of encoded photos; raises ImageError for one that cannot be used."""
        return self.layout.features([extractor.vectors_of(list(pictures)) for extractor in self.extractors])

    def with_golden(self, pictures: Sequence[bytes]) -> Bundle:
        """Return the bundle with golden images and the answers that it gives for them now."""
        expected = self.probabilities(self.features_of(pictures))
        return Bundle(
            self.layout, self.taxonomy, self.categories, self.head, self.temperature, self.facts,
            tuple(pictures), expected, self.weights,
        )  # fmt: skip

    def check_golden(self) -> None:
        """Raise BundleError when a golden image is answered otherwise than when the bundle was made."""
        if not self.golden:
            return
        tolerance = max(_GOLDEN_TOLERANCE[spec.precision] for spec in self.layout.specs)
        change = np.abs(self.probabilities(self.features_of(self.golden)) - self.golden_probabilities).max(axis=1)
        if not change.max() <= tolerance:
            raise BundleError(
                "golden.safetensors",
                f"{int((change > tolerance).sum())} of {len(change)} golden images are answered otherwise than when the "
                f"bundle was made (a probability moved by {change.max():.3g}, tolerated {tolerance:g}): weights, "
                "preprocessing or the processor's int8 arithmetic differ",
            )

    def save(self, path: Path | str) -> str:
        """Write a folder, or one file for a name ending in .zip, in one step; return the bundle's id.

        Raises BundleError when `path` exists.
        """
        path = Path(path)
        if path.exists():
            raise BundleError(str(path), "exists already: choose another name with --to, or remove it first")
        members = self._members()
        manifest = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
        members["MANIFEST.json"] = json.dumps(manifest, indent=1).encode()
        if path.suffix == ".zip":
            write_bytes(path, _zipped(members))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
            try:
                part.chmod(0o755)
                for name, data in members.items():
                    write_bytes(part / name, data)
                part.rename(path)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            sync_folder(path.parent)
        return _bundle_id(members["MANIFEST.json"])

    def _members(self) -> dict[str, bytes]:
        nodes = [self.taxonomy.nodes[row["id"]] for row in self.taxonomy.table().select(["id"]).to_pylist()]
        description = {
            "format": BUNDLE_FORMAT,
            "shelfwise": __version__,
            "taxonomy": {"level_names": self.taxonomy.level_names, "nodes": [[n.id, n.name, n.parent] for n in nodes]},
            "categories": [{"id": c, "names": self.taxonomy.names(c)} for c in self.categories],
            "layout": self.layout.to_dict(),
            "temperature": self.temperature,
            "facts": self.facts,
        }
        head = {"weight": self.head.weight.astype(np.float32), "intercept": self.head.intercept.astype(np.float32)}
        return {
            "bundle.json": json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False).encode(),
            "head.safetensors": safetensors.numpy.save(head),
            "golden.safetensors": safetensors.numpy.save({"probabilities": self.golden_probabilities}),
            **{f"golden/{number:02}": data for number, data in enumerate(self.golden)},
            **{f"backbones/{name}.onnx": data for name, data in self.weights.items()},
        }

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Read a bundle and check everything in it: digests, shapes, finite weights, categories, golden images.

        Raises BundleError naming the file that is wrong.
        """
        members = _read_members(Path(path))
        manifest = members.pop("MANIFEST.json")
        _check_manifest(members, manifest)
        description = _json("bundle.json", members["bundle.json"])
        bundle = cls._assembled(description, members, _bundle_id(manifest))
        bundle.check_golden()
        return bundle

    @classmethod
    def _assembled(cls, description: dict[str, Any], members: dict[str, bytes], bundle_id: str) -> Bundle:
        if description.get("format") != BUNDLE_FORMAT:
            raise BundleError("bundle.json", f"format {description.get('format')!r}, this shelfwise reads {BUNDLE_FORMAT}")
        try:
            tree = description["taxonomy"]
            taxonomy = Taxonomy([Node(*node) for node in tree["nodes"]], tree["level_names"])
            categories = tuple(category["id"] for category in description["categories"])
            for category in description["categories"]:
                if list(taxonomy.names(category["id"])) != category["names"]:
                    raise BundleError("bundle.json", f"category {category['id']!r} is called otherwise in the taxonomy")
            layout = FeatureLayout.from_dict(description["layout"])
            temperature, facts = float(description["temperature"]), dict(description["facts"])
        except (KeyError, TypeError, ValueError, TaxonomyError, BackboneError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError("bundle.json", f"{error.__class__.__name__}: {error}") from error
        if len(set(categories)) < len(categories) or not 0 < temperature < np.inf:
            raise BundleError("bundle.json", "a category occurs twice, or the temperature is no positive number")
        shapes = {"weight": (layout.dimension, len(categories)), "intercept": (len(categories),)}
        head = _tensors("head.safetensors", members["head.safetensors"], shapes)
        golden = tuple(members[name] for name in sorted(members) if name.startswith("golden/"))
        expected = _tensors(
            "golden.safetensors", members["golden.safetensors"], {"probabilities": (len(golden), len(categories))}
        )
        weights = {
            name.removeprefix("backbones/").removesuffix(".onnx"): data
            for name, data in members.items()
            if name.startswith("backbones/")
        }
        return cls(
            layout, taxonomy, categories, Head(head["weight"], head["intercept"]), temperature, facts,
            golden, expected["probabilities"], weights, bundle_id,
        )  # fmt: skip


def _bundle_id(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()[:16]


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def _read_members(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_symlink() or not file.is_dir()]
        sizes = {file.relative_to(path).as_posix(): file.lstat().st_size for file in files}
        _check_listing(list(sizes), sum(sizes.values()))
        if any(file.is_symlink() or not file.is_file() for file in files):
            raise BundleError(str(path), "holds a link or a device")
        return {name: (path / name).read_bytes() for name in sizes}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_listing([entry.filename for entry in entries], sum(entry.file_size for entry in entries))
            return {entry.filename: archive.read(entry) for entry in entries}
    except FileNotFoundError:
        raise BundleError(str(path), "does not exist: make one with  shelfwise train CATALOG --to NAME.bundle") from None
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise BundleError(str(path), f"is neither a bundle folder nor a .zip of one ({error})") from error


def _check_listing(names: list[str], size_bytes: int) -> None:
    def allowed(name: str) -> bool:
        folder, _, leaf = name.rpartition("/")
        if folder == "golden":
            return leaf.isdigit()
        if folder == "backbones":
            return leaf.endswith(".onnx") and ".." not in leaf
        return name in _REQUIRED | {"MANIFEST.json"}

    strange = [name for name in names if not allowed(name)]
    if strange:
        raise BundleError(strange[0], "is no part of a bundle")
    missing = sorted((_REQUIRED | {"MANIFEST.json"}) - set(names))
    if missing:
        raise BundleError(missing[0], "is missing")
    if len(set(names)) < len(names):
        raise BundleError(names[0], "a member name occurs twice")
    if size_bytes > _SIZE_LIMIT or len(names) > _MEMBER_LIMIT:
        raise BundleError(names[0], f"{len(names)} files of {size_bytes} bytes, the limit is {_MEMBER_LIMIT} and {_SIZE_LIMIT}")


def _check_manifest(members: dict[str, bytes], manifest: bytes) -> None:
    digests = _json("MANIFEST.json", manifest)
    for name in sorted(set(digests) ^ set(members)):
        raise BundleError(name, "is not in the manifest" if name in members else "is missing")
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != digests[name]:
            raise BundleError(name, "sha256 differs from the manifest")


def _json(name: str, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(name, f"is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise BundleError(name, "is not a JSON object")
    return value


def _tensors(name: str, data: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(name, f"is not a safetensors file ({error})") from error
    found = {key: tensor.shape for key, tensor in tensors.items()}
    if found != shapes:
        raise BundleError(name, f"holds {found}, the categories and backbones ask for {shapes}")
    for key, tensor in tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise BundleError(name, f"{key} holds values that are not finite float32 numbers")
    return tensors
