"""One Parquet file with the photos inside, as Hugging Face stores them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from shelfwise.export.columns import Columns
from shelfwise.export.names import EXTENSIONS, file_stem
from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary

# What a row group holds: a reader needs it in memory at once.
_ROWS, _BYTES = 4096, 32 * 2**20
# Source: huggingface.co/docs/datasets, Image: a struct of the file's bytes and its name.
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write_parquet(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write products.parquet."""
    columns = Columns.of(selection, summary)
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in columns.names])
    plain = [name for name in columns.names if name not in ("product_id", "images")]
    rows: list[dict[str, Any]] = []
    size_bytes = 0
    with parquet.ParquetWriter(folder / "products.parquet", schema, use_dictionary=plain) as writer:
        for product in selection.products():
            rows.append(_row(columns, product))
            size_bytes += sum(len(photo.data) for photo in product.photos)
            summary.wrote(len(product.photos))
            if len(rows) >= _ROWS or size_bytes >= _BYTES:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows, size_bytes = [], 0
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    summary.ingest.append(columns.ingest(Path(summary.to) / "products.parquet"))


_TYPES = {"images": pa.list_(_PICTURE), "attributes": pa.list_(pa.string())}


def _row(columns: Columns, product: Product) -> dict[str, Any]:
    row: dict[str, Any] = {name: text or None for name, text in columns.texts_of(product).items()}
    row["attributes"] = list(product.attributes)
    stem = file_stem(product.product_id)
    row["images"] = [
        {"bytes": photo.data, "path": f"{stem}#{number}{EXTENSIONS[photo.format]}"}
        for number, photo in enumerate(product.photos)
    ]
    return row
