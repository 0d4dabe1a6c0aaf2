"""A catalog on disk: Lance tables for products, images, taxonomy and embeddings, and one small JSON file."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
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
from shelfwise.files import sync_folder, write_json
from shelfwise.taxonomy import Taxonomy

os.environ.setdefault("LANCE_LOG", "error")  # before the import: Lance logs a line per query otherwise
import lance  # noqa: E402

_DESCRIPTION = "catalog.json"


class Catalog:
    """An opened catalog.

    Raises CatalogError when the folder is no catalog or was written by a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self.description: dict[str, Any] = json.loads((self.path / _DESCRIPTION).read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise CatalogError(
                f"{self.path} is not a catalog ({error.__class__.__name__}): make one with  shelfwise ingest"
            ) from None
        if self.description["format"] > schema.CATALOG_FORMAT:
            raise CatalogError(f"{self.path} was written by a newer shelfwise: upgrade with  pip install -U shelfwise")

    @classmethod
    @contextmanager
    def create(cls, path: Path | str, taxonomy: Taxonomy, source: dict[str, Any]) -> Iterator[Catalog]:
        """Write a new catalog under a temporary name; it gets its own when the block ends without an error.

        Raises CatalogError when `path` exists.
        """
        path = Path(path)
        if path.exists():
            raise CatalogError(f"{path} exists already: choose another name with --to, or remove it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        try:
            part.chmod(0o755)
            description = {"format": schema.CATALOG_FORMAT, "level_names": list(taxonomy.level_names), "source": source}
            write_json(part / _DESCRIPTION, description | {"embedded": []})
            catalog = cls(part)
            catalog._append("taxonomy", taxonomy.table().cast(schema.TAXONOMY))
            catalog._append("products", schema.PRODUCTS.empty_table())
            catalog._append("images", schema.IMAGES.empty_table())
            yield catalog
            part.rename(path)
            sync_folder(path.parent)
            catalog.path = path
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def _table(self, name: str) -> lance.LanceDataset:
        return lance.dataset(str(self.path / f"{name}.lance"))

    def _append(self, name: str, table: pa.Table) -> None:
        target = self.path / f"{name}.lance"
        mode = "append" if target.exists() else "create"
        lance.write_dataset(table, str(target), mode=mode, data_storage_version=schema.LANCE_FILE_FORMAT)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The category tree."""
        return Taxonomy.from_table(self._table("taxonomy").to_table(), self.description["level_names"])

    @property
    def versions(self) -> dict[str, int]:
        """Version of each table, for a verb to record what it read."""
        return {table.stem: self._table(table.stem).version for table in sorted(self.path.glob("*.lance"))}

    def append_products(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of products in one commit."""
        self._append("products", pa.Table.from_pylist(list(rows), schema.PRODUCTS))

    def append_images(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of images in one commit."""
        self._append("images", pa.Table.from_pylist(list(rows), schema.IMAGES))

    def products(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read products, all columns or those named."""
        return self._table("products").to_table(columns=list(columns) if columns else None)

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Read the named columns of all images."""
        return self._table("images").to_table(columns=list(columns))

    def image_bytes(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> list[bytes]:
        """Read the stored pictures of rows of the image table."""
        taken = self._table("images").take([int(row) for row in rows], columns=["bytes"])
        return [value.as_py() for value in taken.column("bytes")]

    def embedding_ids(self, key: str) -> pa.ChunkedArray:
        """Read the ids of the images that have an embedding `key`, in row order; empty where there is none yet."""
        if not (self.path / f"{_embeddings(key)}.lance").exists():
            return pa.chunked_array([], pa.string())
        return self._table(_embeddings(key)).to_table(columns=["image_id"]).column("image_id")

    def embedding_rows(self, key: str, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Read vectors (m, d) of rows of the embedding table `key`."""
        taken = self._table(_embeddings(key)).take(rows.tolist(), columns=["vector"])
        vectors = taken.column("vector").combine_chunks()
        return np.asarray(vectors.flatten()).reshape(len(rows), -1)

    def append_embeddings(self, key: str, image_ids: Iterable[str], vectors: NDArray[np.float16]) -> None:
        """Add vectors (m, d) of images in one commit."""
        dimension = vectors.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension)
        ids = pa.array(image_ids, pa.string())
        self._append(_embeddings(key), pa.table([ids, column], schema=schema.embeddings(dimension)))

    def record_embedding(self, backbones: list[dict[str, Any]]) -> None:
        """Remember a complete set of embeddings; the newest one is what `train` takes by default."""
        others = [known for known in self.description["embedded"] if known != backbones]
        self.description["embedded"] = [*others, backbones]
        write_json(self.path / _DESCRIPTION, self.description)


def _embeddings(key: str) -> str:
    return f"embeddings__{key}"
