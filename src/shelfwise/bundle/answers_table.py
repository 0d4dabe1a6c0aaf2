"""Keep what was answered about products that were not learned from: k answers a product, in a Parquet table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from shelfwise.columns import Columns
    from shelfwise.metrics.answers import Answers

_SCALARS = ("truth", "probability_of_truth")
_LISTS = ("top", "top_probability", "level_top", "level_truth", "level_probability", "way", "way_probability")


def answers_to_parquet(answers: Answers) -> bytes:
    """Write answers as a table with a row a product; columns of categories count from 0 in the bundle's order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"product_id": pa.array(answers.product_ids.tolist(), pa.string())}
    table |= {name: pa.array(getattr(answers, name)) for name in _SCALARS}
    for name in _LISTS:
        values = getattr(answers, name)
        table[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer, compression="zstd")
    return buffer.getvalue()


def answers_from_parquet(name: str, data: bytes, columns: Columns) -> Answers:
    """Read what `answers_to_parquet` wrote into the file `name`; raises BundleError for anything else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from shelfwise.metrics.answers import Answers

    try:
        table = pq.read_table(pa.BufferReader(data))  # a file of Python would be asked by a thread that may outlive it
        values = {field: table.column(field).to_numpy() for field in _SCALARS}
        for field in _LISTS:
            rows = table.column(field).combine_chunks()
            values[field] = np.asarray(rows.flatten()).reshape(len(table), -1)
        return Answers(
            product_ids=np.array(table.column("product_id").to_pylist(), dtype=np.str_),
            columns=columns,
            **values,
        )
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise BundleError(name, f"is not a table of answers ({error})") from error
