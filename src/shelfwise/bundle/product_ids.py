"""The ids of the products that a bundle learned from, where it keeps nothing else of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.bundle.members import PRODUCT_IDS
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def product_ids_to_parquet(product_ids: NDArray[np.object_]) -> bytes:
    """Return the ids of products as a file of a bundle."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"product_id": pa.array(product_ids, pa.string())}), buffer, compression="zstd")
    return buffer.getvalue()


def product_ids_from_parquet(data: bytes) -> NDArray[np.object_]:
    """Read what `product_ids_to_parquet` gave; raises BundleError for anything else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))  # a file of Python would be asked by a thread that may outlive it
        return np.array(table.column("product_id").to_pylist(), dtype=np.object_)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise BundleError(PRODUCT_IDS, f"is not a table of products ({error})") from error
