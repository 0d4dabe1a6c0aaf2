"""How a bundle keeps what its head was learned from: the sums as float64 tensors, the products as a Parquet table."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.numpy

from shelfwise.bundle.learned import Learned
from shelfwise.bundle.members import PRODUCTS, STATISTICS
from shelfwise.errors import BundleError, ShelfwiseError
from shelfwise.statistics.packed import packed, unpacked
from shelfwise.statistics.sufficient import SufficientStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BOUND_TO = "categories"


def learned_to_files(learned: Learned, categories: Sequence[str]) -> dict[str, bytes]:
    """Return what was learned as files of a bundle with these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    s = learned.statistics
    tensors = {"gram": packed(s.gram), "sums": s.sums, "counts": s.counts, "penalty": np.array([learned.penalty])}
    table = {
        "product_id": pa.array(learned.product_ids, pa.string()),
        "column": learned.column,
        "rows": learned.rows,
        "digest": learned.digest,
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer, compression="zstd")
    named = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return {
        STATISTICS: safetensors.numpy.save(named, {_BOUND_TO: _digest_of(categories)}),
        PRODUCTS: buffer.getvalue(),
    }


def learned_from_files(statistics: bytes, products: bytes, categories: Sequence[str], d: int) -> Learned:
    """Read what `learned_to_files` gave, for vectors of length d; raises BundleError for anything else."""
    sums, penalty = _statistics(statistics, categories, d)
    ids, column, rows, digest = _products(products)
    counts = np.bincount(column, rows, len(categories)) if column.min(initial=0) >= 0 else np.empty(0)
    if not np.array_equal(counts, sums.counts):
        raise BundleError(PRODUCTS, f"does not list the products of {STATISTICS}")
    return Learned(sums, penalty, ids, column, rows, digest)


def _statistics(data: bytes, categories: Sequence[str], d: int) -> tuple[SufficientStatistics, float]:
    c = len(categories)
    shapes = {"gram": (d * (d + 1) // 2,), "sums": (d, c), "counts": (c,), "penalty": (1,)}
    try:
        tensors = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        if header.get("__metadata__", {}).get(_BOUND_TO) != _digest_of(categories):
            raise BundleError(STATISTICS, "was made for other categories, or for these in another order")
        for name, shape in shapes.items():
            if (
                tensors[name].shape != shape
                or tensors[name].dtype != np.float64
                or not np.isfinite(tensors[name]).all()
            ):
                raise BundleError(STATISTICS, f"{name} is not {shape} finite float64 numbers")
        arrays = {"gram": unpacked(tensors["gram"]), "sums": tensors["sums"], "counts": tensors["counts"]}
        return SufficientStatistics.from_arrays(arrays), float(tensors["penalty"][0])
    except BundleError:
        raise
    except (safetensors.SafetensorError, ShelfwiseError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(STATISTICS, f"does not hold statistics ({error})") from error


def _products(data: bytes) -> tuple[NDArray[np.object_], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))  # a file of Python would be asked by a thread that may outlive it
        ids = np.array(table.column("product_id").to_pylist(), dtype=np.object_)
        column, rows, digest = (table.column(name).to_numpy() for name in ("column", "rows", "digest"))
        kinds = column.dtype == rows.dtype == np.int32 and digest.dtype == np.uint64
        if len(set(ids)) < len(ids) or not kinds or rows.min(initial=1) < 1:
            raise BundleError(PRODUCTS, "lists a product twice or without rows, or holds columns of another kind")
        return ids, column, rows, digest
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(PRODUCTS, f"is not a table of products ({error})") from error


def learned_product_ids(products: bytes) -> NDArray[np.object_]:
    """Read which products were learned from what `learned_to_files` gave."""
    return _products(products)[0]


def _digest_of(categories: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(categories)).encode()).hexdigest()
