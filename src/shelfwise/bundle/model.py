"""What was learned, put together from its files and checked before it answers. No pickle, nothing that runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from shelfwise import __version__
from shelfwise.backbones.extractor import Extractor
from shelfwise.backbones.features import FeatureLayout
from shelfwise.bundle.left_out import answers_from_parquet
from shelfwise.bundle.members import read_json, read_members, write_members
from shelfwise.errors import BundleError, ShelfwiseError
from shelfwise.statistics.head import Head, softmax
from shelfwise.taxonomy import Node, Taxonomy

if TYPE_CHECKING:
    from shelfwise.metrics.answers import Answers

BUNDLE_FORMAT = 1
# Key in the head's metadata: digest of the categories of its columns, in their order.
_BOUND_TO = "categories"
# How far a probability of a golden image may move between machines: int8 kernels round differently, fp32 ones hardly.
_GOLDEN_TOLERANCE = {"fp32": 1e-3, "int8": 3e-2}


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle:
    """A classifier of photos.

    categories: ids of the columns of the head, in the order of its weights; golden: encoded pictures with the
    probabilities (m, c) expected for them; facts: options, data, estimates, for people and reports; left_out_table: what
    the head said of its own products when it had not learned from them (see `left_out`); weights: files of backbones that
    do not come with shelfwise, by card name; id: set once the bundle lies in a file.
    """

    layout: FeatureLayout
    taxonomy: Taxonomy
    categories: tuple[str, ...]
    head: Head
    temperature: float
    facts: dict[str, Any]
    golden: tuple[bytes, ...] = ()
    golden_probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    left_out_table: bytes = b""
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
        """Compute feature vectors (n, d) of encoded photos; raises ImageError for one that cannot be used.

        Rounded to float16 on the way like the vectors of a catalog, so that a photo is answered alike from both.
        """
        return self.layout.features([e.vectors_of(list(pictures)).astype(np.float16) for e in self.extractors])

    def with_golden(self, pictures: Sequence[bytes]) -> Bundle:
        """Return the bundle with golden images and the answers that it gives for them now."""
        expected = self.probabilities(self.features_of(pictures))
        return replace(self, golden=tuple(pictures), golden_probabilities=expected)

    def check_golden(self) -> None:
        """Raise BundleError when a golden image is answered otherwise than when the bundle was made."""
        if not self.golden:
            raise BundleError("golden/00", "is missing: without golden images nothing shows that the bundle works")
        tolerance = max(_GOLDEN_TOLERANCE[spec.precision] for spec in self.layout.specs)
        try:
            answered = self.probabilities(self.features_of(self.golden))
        except Exception as error:  # a graph of foreign make raises whatever it likes
            raise BundleError("golden", f"the golden images cannot be answered: {error}") from error
        change = np.abs(answered - self.golden_probabilities).max(axis=1)
        if not change.max() <= tolerance:
            raise BundleError(
                "golden.safetensors",
                f"{int((change > tolerance).sum())} of {len(change)} golden images are answered otherwise than when the "
                f"bundle was made (a probability moved by {change.max():.3g}, tolerated {tolerance:g}): weights, "
                "preprocessing or the processor's int8 arithmetic differ",
            )

    def left_out(self) -> Answers:
        """Return what the head said of each product it learned from when that product was left out."""
        return answers_from_parquet(self.left_out_table, self.categories, self.taxonomy)

    def save(self, path: Path | str) -> str:
        """Write a folder, or one file for a name ending in .zip, in one step; return the bundle's id.

        Raises OptionError when `path` exists.
        """
        return write_members(Path(path), self._members())

    def _members(self) -> dict[str, bytes]:
        nodes = [self.taxonomy.nodes[node_id] for node_id in self.taxonomy.nodes_in_order]
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
            "head.safetensors": safetensors.numpy.save(head, {_BOUND_TO: _digest_of(self.categories)}),
            "golden.safetensors": safetensors.numpy.save({"probabilities": self.golden_probabilities}),
            "left_out.parquet": self.left_out_table,
            **{f"golden/{number:02}": data for number, data in enumerate(self.golden)},
            **{f"backbones/{name}.onnx": data for name, data in self.weights.items()},
        }

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Read a bundle and check everything in it: digests, shapes, finite weights, categories, golden images.

        Raises BundleError naming the file that is wrong.
        """
        members, identity = read_members(Path(path))
        bundle = cls._assembled(read_json("bundle.json", members["bundle.json"]), members, identity)
        bundle.check_golden()
        return bundle

    @classmethod
    def _assembled(cls, values: dict[str, Any], members: dict[str, bytes], bundle_id: str) -> Bundle:
        if values.get("format") != BUNDLE_FORMAT:
            raise BundleError("bundle.json", f"format {values.get('format')!r}, this shelfwise reads {BUNDLE_FORMAT}")
        try:
            taxonomy, categories = _taxonomy_and_categories(values)
            layout = FeatureLayout.from_dict(values["layout"])
            temperature, facts = float(values["temperature"]), dict(values["facts"])
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ShelfwiseError) as error:
            raise BundleError("bundle.json", f"{error.__class__.__name__}: {error}") from error
        if not 0 < temperature < np.inf:
            raise BundleError("bundle.json", f"the temperature {temperature} is no positive number")
        shapes = {"weight": (layout.dimension, len(categories)), "intercept": (len(categories),)}
        head = _tensors("head.safetensors", members["head.safetensors"], shapes)
        if _metadata(members["head.safetensors"]).get(_BOUND_TO) != _digest_of(categories):
            raise BundleError("head.safetensors", "was learned for other categories, or for these in another order")
        golden = tuple(members[name] for name in sorted(members) if name.startswith("golden/"))
        shapes = {"probabilities": (len(golden), len(categories))}
        expected = _tensors("golden.safetensors", members["golden.safetensors"], shapes)["probabilities"]
        return cls(
            layout=layout, taxonomy=taxonomy, categories=categories, head=Head(head["weight"], head["intercept"]),
            temperature=temperature, facts=facts, golden=golden, golden_probabilities=expected,
            left_out_table=members["left_out.parquet"], weights=_foreign_weights(layout, members), id=bundle_id,
        )  # fmt: skip


def _taxonomy_and_categories(values: dict[str, Any]) -> tuple[Taxonomy, tuple[str, ...]]:
    tree = values["taxonomy"]
    taxonomy = Taxonomy([Node(*node) for node in tree["nodes"]], tree["level_names"])
    for category in values["categories"]:
        if list(taxonomy.names(category["id"])) != category["names"]:
            raise BundleError("bundle.json", f"category {category['id']!r} is called otherwise in the taxonomy")
    categories = tuple(category["id"] for category in values["categories"])
    if len(set(categories)) < len(categories):
        raise BundleError("bundle.json", "a category occurs twice")
    return taxonomy, categories


def _foreign_weights(layout: FeatureLayout, members: dict[str, bytes]) -> dict[str, bytes]:
    foreign = [spec for spec in layout.specs if spec.card.source != "package"]
    wanted = {f"backbones/{spec.card.name}.onnx" for spec in foreign}
    for file in sorted(wanted ^ {member for member in members if member.startswith("backbones/")}):
        raise BundleError(file, "is missing" if file in wanted else "belongs to no backbone of the bundle")
    weights = {spec.card.name: members[f"backbones/{spec.card.name}.onnx"] for spec in foreign}
    for card in (spec.card for spec in foreign):
        if hashlib.sha256(weights[card.name]).hexdigest() != card.sha256:
            raise BundleError(f"backbones/{card.name}.onnx", "is not the file that its card pins")
    return weights


def _digest_of(categories: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(categories).encode()).hexdigest()


def _metadata(data: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors file that was read before. Source: its format, an 8-byte length, then JSON."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(header.get("__metadata__", {}))


def _tensors(name: str, data: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(name, f"is not a safetensors file ({error})") from error
    found = {key: tensor.shape for key, tensor in tensors.items()}
    if found != shapes:
        raise BundleError(name, f"holds {str(found)[:200]}, the categories and backbones ask for {shapes}")
    for key, tensor in tensors.items():
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise BundleError(name, f"{key} holds values that are not finite float32 numbers")
    return tensors
