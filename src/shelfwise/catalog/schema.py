"""Columns of a catalog's tables."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

# Any other format is refused. Lance's own file format is pinned: its default moves.
CATALOG_FORMAT = 2
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
        # Digest of the record and of its photos' bytes: what tells a product that changed in its source.
        pa.field("fingerprint", pa.binary(16)),
    ]
)

# A photo is stored as `bytes`, or, with --in-place, found in the file `uri` at `offset`.
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
        pa.field("frames", pa.int32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("notes", pa.list_(pa.string())),
    ]
)

TAXONOMY = pa.schema([pa.field("id", pa.string()), pa.field("name", pa.string()), pa.field("parent", pa.string())])

# Rows of sources that could not become products. Photos that cannot be used stay in the table of images.
QUARANTINE = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("place", pa.string()),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("text", pa.string()),
        pa.field("sha256", pa.binary(32)),
        pa.field("time", pa.timestamp("s", "UTC")),
    ]
)

TABLES = {"products": PRODUCTS, "images": IMAGES, "taxonomy": TAXONOMY, "quarantine": QUARANTINE}


def embeddings(dimension: int) -> pa.Schema:
    """Return the schema of a table of embeddings: the picture's sha256 and a float16 vector (d,).

    By picture, not by image: what a copy of a picture needs is there, and what an image that changed needs is not.
    """
    return pa.schema([pa.field("sha256", pa.binary(32)), pa.field("vector", pa.list_(pa.float16(), dimension))])
