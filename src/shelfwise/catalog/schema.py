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

# `status` is ok, quarantined (cannot be used), missing (never obtained) or set_aside (could be used, and a person or a plan
# decided that it is not: a repeat, a placeholder).
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

# What people decided about products, one row a decision, never changed: what holds is the last one. `before` and `after`
# are the category of a product that was moved, or the status of an image that was set aside or restored.
CORRECTIONS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("s", "UTC"), nullable=False),
        pa.field("who", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("image_id", pa.string()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("undoes", pa.int64()),
    ]
)

TABLES = {
    "products": PRODUCTS,
    "images": IMAGES,
    "taxonomy": TAXONOMY,
    "quarantine": QUARANTINE,
    "corrections": CORRECTIONS,
}


def embeddings(dimension: int) -> pa.Schema:
    """Return the schema of a table of embeddings: the picture's sha256 and a float16 vector (d,).

    By picture, not by image: what a copy of a picture needs is there, and what an image that changed needs is not.
    """
    return pa.schema([pa.field("sha256", pa.binary(32)), pa.field("vector", pa.list_(pa.float16(), dimension))])
