"""A catalog on disk: Lance tables for products, images, taxonomy and embeddings, and one small JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.catalog import schema
from shelfwise.errors import CatalogError
from shelfwise.files import new_folder, write_json
from shelfwise.taxonomy import Taxonomy

os.environ.setdefault("LANCE_LOG", "error")  # before the import: Lance logs a line per query otherwise
import lance

_DESCRIPTION = "catalog.json"


class Catalog:
    """An opened catalog.

    Raises CatalogError when the folder is no catalog or was written by a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.description = _read_description(self.path)

    @classmethod
    @contextmanager
    def create(cls, path: Path | str, taxonomy: Taxonomy, source: dict[str, Any]) -> Iterator[Catalog]:
        """Write a new catalog under a temporary name; it gets its own when the block ends without an error.

        Raises CatalogError when `path` exists.
        """
        path = Path(path)
        if path.exists():
            raise CatalogError(f"{path} exists already: choose another name with --to, or remove it first")
        with new_folder(path) as part:
            description = {"format": schema.CATALOG_FORMAT, "level_names": list(taxonomy.level_names), "source": source}
            write_json(part / _DESCRIPTION, description | {"embedded": []})
            catalog = cls(part)
            catalog._append("taxonomy", taxonomy.table().cast(schema.TAXONOMY))
            catalog._append("products", schema.PRODUCTS.empty_table())
            catalog._append("images", schema.IMAGES.empty_table())
            yield catalog
        catalog.path = path

    @contextmanager
    def _table(self, name: str) -> Iterator[lance.LanceDataset]:
        """Open a table to read from; what Lance says of a damaged one becomes a CatalogError."""
        try:
            yield lance.dataset(str(self.path / f"{name}.lance"))
        except (ValueError, OSError) as error:  # Arrow's own errors are one of the two
            said = str(error).splitlines()[0]
            raise CatalogError(f"{self.path}: the table {name} is missing or damaged ({said}): ingest again") from error

    def _read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        with self._table(name) as table:
            return table.to_table(columns=list(columns) if columns else None)

    def _take(self, name: str, rows: Sequence[int], column: str) -> pa.ChunkedArray:
        with self._table(name) as table:
            return table.take(rows, columns=[column]).column(column)

    def _has(self, name: str) -> bool:
        """Tell whether a table was committed: a process killed in its first commit leaves a folder without a version."""
        return any((self.path / f"{name}.lance" / "_versions").glob("*.manifest"))

    def _append(self, name: str, table: pa.Table) -> None:
        target = self.path / f"{name}.lance"
        mode = "append" if self._has(name) else "create"
        lance.write_dataset(table, str(target), mode=mode, data_storage_version=schema.LANCE_FILE_FORMAT)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The category tree."""
        return Taxonomy.from_table(self._read("taxonomy"), self.description["level_names"])

    @property
    def versions(self) -> dict[str, int]:
        """Version of each table, for a verb to record what it read."""
        names = [table.stem for table in sorted(self.path.glob("*.lance")) if self._has(table.stem)]
        return {name: self._version(name) for name in names}

    def _version(self, name: str) -> int:
        with self._table(name) as table:
            return int(table.version)

    def append_products(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of products in one commit."""
        self._append("products", pa.Table.from_pylist(list(rows), schema.PRODUCTS))

    def append_images(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of images in one commit."""
        self._append("images", pa.Table.from_pylist(list(rows), schema.IMAGES))

    def products(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read products, all columns or those named."""
        return self._read("products", columns)

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Read the named columns of all images."""
        return self._read("images", columns)

    def image_bytes(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> list[bytes]:
        """Read the stored pictures of rows of the image table."""
        return [value.as_py() for value in self._take("images", [int(row) for row in rows], "bytes")]

    def embedding_ids(self, key: str) -> pa.ChunkedArray:
        """Read the ids of the images that have an embedding `key`, in row order; empty where there is none yet."""
        if not self._has(_embeddings(key)):
            return pa.chunked_array([], pa.string())
        return self._read(_embeddings(key), ["image_id"]).column("image_id")

    def embedding_rows(self, key: str, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Read vectors (m, d) of rows of the embedding table `key`."""
        vectors = self._take(_embeddings(key), rows.tolist(), "vector").combine_chunks()
        return np.asarray(vectors.flatten()).reshape(len(rows), -1)

    def append_embeddings(self, key: str, image_ids: Iterable[str], vectors: NDArray[np.float16]) -> None:
        """Add vectors (m, d) of images in one commit."""
        dimension = vectors.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension)
        ids = pa.array(image_ids, pa.string())
        self._append(_embeddings(key), pa.table([ids, column], schema=schema.embeddings(dimension)))

    def record_embedding(self, backbones: list[dict[str, Any]]) -> None:
        """Remember a complete set of embeddings; the newest one is what `train` takes by default."""
        self.description = _read_description(self.path)  # another process may have embedded meanwhile
        others = [known for known in self.description["embedded"] if known != backbones]
        self.description["embedded"] = [*others, backbones]
        write_json(self.path / _DESCRIPTION, self.description)


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json.loads((path / _DESCRIPTION).read_bytes())
        newer = description["format"] > schema.CATALOG_FORMAT
        if not newer and not {"level_names", "source", "embedded"} <= set(description):
            raise KeyError
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CatalogError(
            f"{path} is not a catalog ({error.__class__.__name__}): make one with  shelfwise ingest"
        ) from None
    if newer:
        raise CatalogError(f"{path} was written by a newer shelfwise: upgrade with  pip install -U shelfwise")
    return description


def _embeddings(key: str) -> str:
    return f"embeddings__{key}"
