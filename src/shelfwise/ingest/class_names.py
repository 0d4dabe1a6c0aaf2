"""The names that a Parquet file written by Hugging Face's `datasets` gives to the numbers in its label columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from shelfwise.errors import SourceError


def class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the names of a file's classes by column, from 0; none where the file is no Parquet or names none.

    Source: the schema metadata `huggingface` that `datasets.Features.arrow_schema` writes.
    """
    if path.suffix.lower() != ".parquet":
        return {}
    try:
        told = (parquet.read_schema(path).metadata or {}).get(b"huggingface", b"{}")
        features = json.loads(told).get("info", {}).get("features", {})
        named = {column: _names(feature) for column, feature in features.items()}
    except (pa.ArrowException, OSError, ValueError, AttributeError, RecursionError) as error:
        raise SourceError(
            f"{path}: its `huggingface` metadata, which names the classes, cannot be read: {error}"
        ) from None
    return {column: names for column, names in named.items() if names is not None}


def _names(feature: Any) -> tuple[str, ...] | None:
    """Find the names of a ClassLabel, or of a list of them."""
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel" and feature.get("names") is not None:
        return tuple(map(str, feature["names"]))
    return _names(feature.get("feature"))
