"""Columns of a catalog's tables."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

# A format older than this package's is read, a newer one refused. Lance's own file format is pinned: its default moves.
CATALOG_FORMAT = 1
LANCE_FILE_FORMAT: Literal["2.2"] = "2.2"

PRODUCTS = pa.schema(
    [
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("description", pa.string()),
        pa.field("category", pa.string()),
        pa.field("attributes", pa.list_(pa.string())),
        pa.field("group", pa.string()),
        pa.field("split", pa.string()),
        pa.field("quality", pa.string()),
        pa.field("source", pa.string()),
    ]
)

IMAGES = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("bytes", pa.large_binary()),
        pa.field("uri", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("sha256", pa.binary(32)),
        pa.field("perceptual_hash", pa.uint64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("format", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("notes", pa.list_(pa.string())),
    ]
)

TAXONOMY = pa.schema([pa.field("id", pa.string()), pa.field("name", pa.string()), pa.field("parent", pa.string())])


def embeddings(dimension: int) -> pa.Schema:
    """Return the schema of a table of embeddings: image_id and a float16 vector (d,)."""
    return pa.schema([pa.field("image_id", pa.string()), pa.field("vector", pa.list_(pa.float16(), dimension))])
