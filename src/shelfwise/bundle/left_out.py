"""Keep what a head said of its own products when they were left out: k answers a product, in a Parquet table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from shelfwise.metrics.answers import Answers
    from shelfwise.taxonomy import Taxonomy

_SCALARS = ("truth", "probability_of_truth")
_LISTS = ("top", "top_probability", "level_top", "level_truth", "level_probability")


def answers_to_parquet(answers: Answers) -> bytes:
    """Write answers as a table with a row a product; columns of categories count from 0 in the bundle's order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"product_id": pa.array(answers.product_ids.tolist(), pa.string())}
    columns |= {name: pa.array(getattr(answers, name)) for name in _SCALARS}
    for name in _LISTS:
        values = getattr(answers, name)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def answers_from_parquet(data: bytes, categories: tuple[str, ...], taxonomy: Taxonomy) -> Answers:
    """Read what `answers_to_parquet` wrote; raises BundleError for anything else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from shelfwise.metrics.answers import Answers

    try:
        table = pq.read_table(io.BytesIO(data))
        columns = {name: table.column(name).to_numpy() for name in _SCALARS}
        for name in _LISTS:
            values = table.column(name).combine_chunks()
            columns[name] = np.asarray(values.flatten()).reshape(len(table), -1)
        return Answers(
            product_ids=np.array(table.column("product_id").to_pylist(), dtype=np.str_),
            categories=categories,
            level_nodes=tuple(taxonomy.level(categories, level)[0] for level in range(taxonomy.depth)),
            level_names=taxonomy.level_names,
            **columns,
        )
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise BundleError("left_out.parquet", f"is not a table of answers ({error})") from error
