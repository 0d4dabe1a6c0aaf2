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
from shelfwise.bundle.answers_table import answers_from_parquet
from shelfwise.bundle.members import (
    PRODUCT_IDS,
    PRODUCTS,
    STATISTICS,
    Content,
    read_json,
    read_members,
    write_members,
)
from shelfwise.bundle.single_head import single_head
from shelfwise.classifiers.classifier import Classifier
from shelfwise.classifiers.stored import FILE, Tensors
from shelfwise.columns import Columns
from shelfwise.errors import BundleError, OptionError, ShelfwiseError
from shelfwise.taxonomy import Node, Taxonomy

if TYPE_CHECKING:
    from shelfwise.bundle.learned import Learned
    from shelfwise.bundle.live import LiveBundle
    from shelfwise.metrics.answers import Answers

BUNDLE_FORMAT = 2
# Key in the classifier's metadata: digest of the categories of its columns, in their order.
_BOUND_TO = "categories"
# How far a probability of a golden image may move between machines: int8 kernels round differently, fp32 ones hardly.
_GOLDEN_TOLERANCE = {"fp32": 1e-3, "int8": 3e-2}


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle:
    """A classifier of photos.

    columns: the categories in the order of the classifier's weights, in their tree; golden: encoded pictures with the
    probabilities (m, c) expected for them; facts: options, data, estimates, for people and reports; left_out_table,
    held_out_table: answers about products that were not learned from (see `left_out`, `held_out`); weights: files of
    backbones that do not come with shelfwise, by card name; kept: files that only changes need (see `learned`), read when
    they are asked for; id: set once the bundle lies in a file.
    """

    layout: FeatureLayout
    columns: Columns
    classifier: Classifier
    facts: dict[str, Any]
    golden: tuple[bytes, ...] = ()
    golden_probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    left_out_table: bytes = b""
    held_out_table: bytes = b""
    weights: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, Content] = field(default_factory=dict)
    id: str = ""

    @property
    def taxonomy(self) -> Taxonomy:
        """The category tree."""
        return self.columns.taxonomy

    @property
    def categories(self) -> tuple[str, ...]:
        """The ids of the categories that it can answer with."""
        return self.columns.categories

    def probabilities(
        self, x: NDArray[np.float32], product: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[np.float32]:
        """Compute calibrated probabilities (p, c) of the feature vectors (n, d) of photos.

        product: (n,) which product each photo shows, ascending from 0 without gaps; absent: each its own.
        """
        return self.classifier.probabilities(x, self.columns, product)

    def answered(
        self, x: NDArray[np.float32], product: NDArray[np.integer[Any]] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Compute probabilities as `probabilities`, and how familiar each product looks, (p,) over 0 to 1."""
        return self.classifier.answered(x, self.columns, product)

    @cached_property
    def extractors(self) -> list[Extractor]:
        """Backbones ready to run, in the order of the layout."""
        return [Extractor(spec, embedded=self.weights.get(spec.card.name)) for spec in self.layout.specs]

    def features_of(self, pictures: Sequence[bytes]) -> NDArray[np.float32]:
        """Compute feature vectors (n, d) of encoded photos; raises ImageError for one that cannot be used.

        Rounded to float16 on the way like the vectors of a catalog, so that a photo is answered alike from both.
        """
        return self.layout.features([e.vectors_of(list(pictures)).astype(np.float16) for e in self.extractors])

    @cached_property
    def golden_features(self) -> NDArray[np.float32]:
        """The feature vectors (m, d) of the golden images."""
        return self.features_of(self.golden)

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
            answered = self.probabilities(self.golden_features)
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
        return answers_from_parquet("left_out.parquet", self.left_out_table, self.columns)

    def held_out(self) -> Answers:
        """Return the answers about products not learned from that calibration and thresholds rest on."""
        return answers_from_parquet("held_out.parquet", self.held_out_table, self.columns)

    def learned(self) -> Learned:
        """Return what the head was learned from, read and checked now.

        Raises OptionError for a bundle that does not keep it.
        """
        from shelfwise.bundle.learned_files import learned_from_files

        single = single_head(self.classifier)
        if STATISTICS not in self.kept or single is None:
            raise OptionError(
                "the bundle keeps no sums of what it learned from, as only a single ridge head for all categories does: "
                "learn anew with  shelfwise train CATALOG --to NAME.bundle"
            )
        d = len(single.head.weight)
        return learned_from_files(self.kept[STATISTICS](), self.kept[PRODUCTS](), self.categories, d)

    def learned_product_ids(self) -> NDArray[np.object_]:
        """Return the ids of the products that it learned from."""
        from shelfwise.bundle.learned_files import learned_product_ids
        from shelfwise.bundle.product_ids import product_ids_from_parquet

        if PRODUCTS in self.kept:
            return learned_product_ids(self.kept[PRODUCTS]())
        if PRODUCT_IDS in self.kept:
            return product_ids_from_parquet(self.kept[PRODUCT_IDS]())
        return self.left_out().product_ids.astype(np.object_)

    def live(self) -> LiveBundle:
        """Open the bundle for products that come and go; raises OptionError as `learned`."""
        from shelfwise.bundle.live import LiveBundle

        return LiveBundle(self)

    def save(self, path: Path | str, replaces: str = "") -> str:
        """Write a folder, or one file for a name ending in .zip, in one step; return the bundle's id.

        replaces: the id of the bundle that lies there, whose place it takes. Raises OptionError when `path` exists, or is
        not that bundle any more.
        """
        return write_members(Path(path), self._members(), replaces)

    def _members(self) -> dict[str, bytes]:
        classifier, tensors = self.classifier.stored()
        nodes = [self.taxonomy.nodes[node_id] for node_id in self.taxonomy.nodes_in_order]
        description = {
            "format": BUNDLE_FORMAT,
            "shelfwise": __version__,
            "taxonomy": {"level_names": self.taxonomy.level_names, "nodes": [[n.id, n.name, n.parent] for n in nodes]},
            "categories": [{"id": c, "names": self.taxonomy.names(c)} for c in self.categories],
            "layout": self.layout.to_dict(),
            "classifier": classifier,
            "facts": self.facts,
        }
        return {
            "bundle.json": json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False).encode(),
            FILE: safetensors.numpy.save(
                {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},  # it writes memory as it lies
                {_BOUND_TO: _digest_of(self.categories)},
            ),
            "golden.safetensors": safetensors.numpy.save({"probabilities": self.golden_probabilities}),
            "left_out.parquet": self.left_out_table,
            "held_out.parquet": self.held_out_table,
            **{f"golden/{number:02}": data for number, data in enumerate(self.golden)},
            **{f"backbones/{name}.onnx": data for name, data in self.weights.items()},
            **{name: content() for name, content in self.kept.items()},
        }

    @classmethod
    def load(cls, path: Path | str) -> Bundle:
        """Read a bundle and check all that answering needs: digests, shapes, finite weights, categories, golden images.

        Raises BundleError naming the file that is wrong.
        """
        members, kept, identity = read_members(Path(path))
        assembled = cls._assembled(read_json("bundle.json", members["bundle.json"]), members, identity)
        if STATISTICS in kept and single_head(assembled.classifier) is None:
            raise BundleError(STATISTICS, "belongs to no head of the bundle")
        bundle = replace(assembled, kept=kept)
        bundle.check_golden()
        return bundle

    @classmethod
    def _assembled(cls, values: dict[str, Any], members: dict[str, bytes], bundle_id: str) -> Bundle:
        if values.get("format") != BUNDLE_FORMAT:
            raise BundleError("bundle.json", f"format {values.get('format')!r}, this shelfwise reads {BUNDLE_FORMAT}")
        tensors = _tensors(FILE, members[FILE])
        if _metadata(members[FILE]).get(_BOUND_TO) != _digest_of(_category_ids(values)):
            raise BundleError(FILE, "was learned for other categories, or for these in another order")
        try:
            columns = _columns(values)
            layout = FeatureLayout.from_dict(values["layout"])
            classifier = Classifier.restored(values["classifier"], Tensors(tensors), layout.dimension, columns)
            facts = dict(values["facts"])
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ShelfwiseError) as error:
            raise BundleError("bundle.json", f"{error.__class__.__name__}: {error}") from error
        golden = tuple(members[name] for name in sorted(members) if name.startswith("golden/"))
        expected = Tensors(_tensors("golden.safetensors", members["golden.safetensors"]), file="golden.safetensors")
        answers = expected.take("probabilities", (len(golden), len(columns)))
        expected.refuse_rest()
        return cls(
            layout=layout, columns=columns, classifier=classifier, facts=facts, golden=golden,
            golden_probabilities=answers, left_out_table=members["left_out.parquet"],
            held_out_table=members["held_out.parquet"], weights=_foreign_weights(layout, members), id=bundle_id,
        )  # fmt: skip


def _category_ids(values: dict[str, Any]) -> tuple[str, ...]:
    try:
        return tuple(str(category["id"]) for category in values["categories"])
    except (KeyError, TypeError) as error:
        raise BundleError("bundle.json", f"{error.__class__.__name__}: {error}") from error


def _columns(values: dict[str, Any]) -> Columns:
    tree = values["taxonomy"]
    taxonomy = Taxonomy([Node(*node) for node in tree["nodes"]], tree["level_names"])
    for category in values["categories"]:
        if list(taxonomy.names(category["id"])) != category["names"]:
            raise BundleError("bundle.json", f"category {category['id']!r} is called otherwise in the taxonomy")
    categories = tuple(category["id"] for category in values["categories"])
    if len(set(categories)) < len(categories):
        raise BundleError("bundle.json", "a category occurs twice")
    return Columns(categories, taxonomy)


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


def _tensors(name: str, data: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        return dict(safetensors.numpy.load(data))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(name, f"is not a safetensors file ({error})") from error
