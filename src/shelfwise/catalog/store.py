"""A catalog on disk: Lance tables for products, images, taxonomy, quarantine and embeddings, and one small JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.catalog import schema, tables
from shelfwise.catalog.checksums import Checksums
from shelfwise.catalog.description import Description, read_description
from shelfwise.catalog.lock import only_one
from shelfwise.errors import CatalogError
from shelfwise.taxonomy import Taxonomy


class Catalog:
    """An opened catalog, as it was at that moment: what others change meanwhile is not seen.

    Raises CatalogError when the folder is no catalog or was written by another version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.description = read_description(self.path)

    @classmethod
    def at(cls, path: Path, description: Description) -> Catalog:
        """Open a catalog as a description tells it, which need not be the published one."""
        catalog = cls.__new__(cls)
        catalog.path, catalog.description = path, description
        return catalog

    @property
    def versions(self) -> dict[str, int]:
        """Version of each table, for a verb to record what it read."""
        return self.description.snapshot.tables | self.description.embeddings

    def _opened(self, name: str) -> AbstractContextManager[Any]:
        if name not in self.versions:
            raise CatalogError(f"{self.path}: the table {name} is missing or damaged")
        return tables.opened(self.path, name, self.versions[name])

    def _read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        with self._opened(name) as table:
            return table.to_table(columns=list(columns) if columns else None)

    def _take(self, name: str, rows: Sequence[int], columns: list[str]) -> pa.Table:
        with self._opened(name) as table:
            return table.take(rows, columns=columns)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The category tree."""
        return Taxonomy.from_table(self._read("taxonomy"), self.description.snapshot.level_names)

    def products(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read products, all columns or those named."""
        return self._read("products", columns)

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Read the named columns of all images."""
        return self._read("images", columns)

    def quarantine(self) -> pa.Table:
        """Read the quarantined rows of sources."""
        return self._read("quarantine")

    def corrections(self) -> pa.Table:
        """Read what people decided, oldest first; empty for a catalog that knows none yet."""
        if "corrections" not in self.versions:
            return schema.CORRECTIONS.empty_table()
        return self._read("corrections")

    def product_ids(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
        """Read the ids of rows of the product table."""
        return list(self._take("products", [int(row) for row in rows], ["product_id"]).column("product_id").to_pylist())

    def product_rows(self, rows: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Read the named columns of rows of the product table."""
        return list(self._take("products", [int(row) for row in rows], list(columns)).to_pylist())

    def image_ids(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
        """Read the ids of rows of the image table."""
        return list(self._take("images", [int(row) for row in rows], ["image_id"]).column("image_id").to_pylist())

    def batches(self, name: str, columns: Sequence[str], rows: int = 8192) -> Iterator[pa.RecordBatch]:
        """Go through a table in parts, so that memory stays flat."""
        with self._opened(name) as table:
            yield from table.to_batches(columns=list(columns), batch_size=rows)

    def image_bytes(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> list[bytes]:
        """Read the pictures of rows of the image table, from where they are stored.

        Raises CatalogError for a row that has none, and where one that was left in its file is not there any more.
        """
        taken = self._take("images", [int(row) for row in rows], ["image_id", "bytes", "uri", "offset", "length"])
        return [self._picture(row) for row in taken.to_pylist()]

    def _picture(self, row: dict[str, Any]) -> bytes:
        if row["bytes"] is not None:
            return bytes(row["bytes"])
        if row["length"] is None:  # never read: its place is only what a source called it
            raise CatalogError(f"{self.path}: the photo {row['image_id']} was never read, so there is no picture of it")
        try:
            with Path(row["uri"]).open("rb") as file:
                file.seek(row["offset"])
                return file.read(row["length"])
        except OSError as error:
            said = f"the photo at {row['uri']} cannot be read any more ({error.strerror})"
            raise CatalogError(f"{self.path}: {said}: put it back, or ingest its source from where it is now") from None

    def embedded_pictures(self, key: str) -> pa.ChunkedArray:
        """Read the sha256 of the pictures that have an embedding `key`, in row order; empty where there is none yet."""
        if _embeddings(key) not in self.versions:
            return pa.chunked_array([], pa.binary(32))
        return self._read(_embeddings(key), ["sha256"]).column("sha256")

    def embedding_rows(self, key: str, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Read vectors (m, d) of rows of the embedding table `key`."""
        vectors = self._take(_embeddings(key), rows.tolist(), ["vector"]).column("vector").combine_chunks()
        return np.asarray(vectors.flatten()).reshape(len(rows), vectors.type.list_size)

    def refuse_rotten_embeddings(self, key: str) -> None:
        """Raise CatalogError when a file of the embeddings `key` is not what was written."""
        Checksums(self.path, _embeddings(key)).refuse_rot()

    def embedding_writer(self, key: str) -> AbstractContextManager[None]:
        """Hold the embeddings `key` for a run; raises CatalogBusyError at once when another run holds them."""
        return only_one(self.path / ".locks" / f"embed-{key}", f"embed {key}", wait_s=1.0)

    def append_embeddings(self, key: str, digests: Iterable[bytes], vectors: NDArray[np.float16]) -> None:
        """Add vectors (m, d) of pictures in one commit."""
        name, dimension = _embeddings(key), vectors.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimension)
        rows = pa.table([pa.array(digests, pa.binary(32)), column], schema=schema.embeddings(dimension))
        with only_one(self.path / ".locks" / name, f"embed {key}"):
            table = tables.TableWriter(self.path, name, read_description(self.path).embeddings.get(name))
            table.append(rows)
            with only_one(self.path / ".locks" / "description", f"embed {key}"):
                self.description = read_description(self.path)
                versions = self.description.embeddings | {name: int(table.version or 0)}
                self.description = replace(self.description, embeddings=versions)
                self.description.write(self.path)

    def record_embedding(self, backbones: list[dict[str, Any]]) -> None:
        """Remember a complete set of embeddings; the newest one is what `train` takes by default."""
        with only_one(self.path / ".locks" / "description", "embed"):
            self.description = read_description(self.path)  # another process may have embedded meanwhile
            others = [known for known in self.description.embedded if known != backbones]
            self.description = replace(self.description, embedded=(*others, backbones))
            self.description.write(self.path)


def _embeddings(key: str) -> str:
    return f"embeddings__{key}"
