"""Jobs that change a catalog, for tests to kill, starve and run at once, and broken variants of them for the controls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from catalog_state import logical_digest, untidy

BATCH = 8
KEY = "toy-32-fp32"
EMBED_BATCH = 16


def ingest(photos: str, catalog: str, decoded: str) -> None:
    """Ingest with a commit every BATCH products and one decoder; every photo that is decoded adds a byte to `decoded`."""
    import shelfwise.ingest.writer as writer
    from shelfwise.ingest import FolderSource, ingest

    plain = writer.image_row

    def counted(*arguments: Any, **options: Any) -> dict[str, Any]:
        row = plain(*arguments, **options)
        with Path(decoded).open("ab") as log:
            log.write(b".")
        return row

    writer.image_row = counted
    writer._PRODUCTS_PER_COMMIT = BATCH
    writer.available_cores = lambda: 1
    done = ingest(FolderSource(photos), catalog)
    print(json.dumps(done.to_dict()))


def undo(catalog: str) -> None:
    from shelfwise.catalog import undo

    undo(catalog)


def touch(catalog: str) -> None:
    """Open a catalog to change it, and change nothing."""
    from shelfwise.catalog import changing

    with changing(catalog, "touch"):
        pass


def vectors(catalog: str) -> None:
    """Store small vectors of all pictures in commits of EMBED_BATCH, those first that are not there yet."""
    from shelfwise.catalog import Catalog

    opened = Catalog(catalog)
    with opened.embedding_writer(KEY):
        known = set(opened.embedded_pictures(KEY).to_pylist())
        pictures = dict.fromkeys(opened.images(["sha256"]).column("sha256").to_pylist())
        missing = [digest for digest in pictures if digest not in known]
        for start in range(0, len(missing), EMBED_BATCH):
            part = missing[start : start + EMBED_BATCH]
            opened.append_embeddings(KEY, part, np.array([vector_of(digest) for digest in part]))
    opened.record_embedding([{"card": "toy"}])


def vector_of(digest: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(digest[:4], np.uint8).astype(np.float16)


def embed(catalog: str) -> None:
    """Run the smallest network over all photos."""
    import shelfwise.embed.run as run
    import shelfwise.engines.missing as missing
    from shelfwise.options import EmbedOptions

    missing._ROWS_PER_COMMIT = EMBED_BATCH
    run.embed(catalog, EmbedOptions(backbone="lite0@96", precision="fp32", threads=1))


def cli(*arguments: str) -> None:
    """Run `shelfwise` with a commit every BATCH products."""
    import shelfwise.ingest.writer as writer
    from shelfwise.cli.main import main

    writer._PRODUCTS_PER_COMMIT = BATCH
    main(list(arguments))


def unasked(*arguments: str) -> None:
    """Run `shelfwise` as if nobody asked beforehand whether there is room."""
    import shelfwise.ingest.writer as writer

    writer._OVERHEAD = 0
    cli(*arguments)


def mount(folder: str, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def unmount(folder: str) -> None:
    subprocess.run(["umount", folder], check=True)


def look(catalog: str) -> None:
    """Print what a catalog says and what should not lie there."""
    print(json.dumps([logical_digest(Path(catalog)), untidy(Path(catalog))]))


def add(catalog: str, name: str, count: str) -> None:
    """Add products one by one, each in a change of its own."""
    from shelfwise.catalog import changing

    for number in range(int(count)):
        with changing(catalog, f"add {name}", wait_s=30) as change:
            product_id = f"{name}-{number}"
            change.append_images(
                [
                    {
                        "image_id": f"{product_id}#0",
                        "product_id": product_id,
                        "position": 0,
                        "status": "ok",
                        "bytes": b"x",
                    }
                ]
            )
            change.append_products([{"product_id": product_id}])


def hold(catalog: str, seconds: str) -> None:
    """Hold the right to write for some time."""
    from shelfwise.catalog import changing

    with changing(catalog, "hold"):
        print("holding", flush=True)
        time.sleep(float(seconds))


def in_place(job: str, *arguments: str) -> None:
    """Do a job as if no file were replaced in one step: the broken variant of a control."""
    import shelfwise.files as files

    def write_bytes(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(data), 100):
                file.write(data[start : start + 100])

    files.write_bytes = write_bytes
    JOBS[job](*arguments)


def without_sync(job: str, *arguments: str) -> None:
    """Do a job as if the power never failed: the broken variant of a control."""
    os.fsync = lambda _: None  # type: ignore[assignment]
    JOBS[job](*arguments)


def without_lock(job: str, *arguments: str) -> None:
    """Do a job as if everybody might write: the broken variant of a control."""
    import shelfwise.catalog.change as change
    import shelfwise.catalog.store as store

    @contextmanager
    def only_one(path: Path, *_: Any) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield

    change.only_one = store.only_one = only_one  # type: ignore[attr-defined]
    JOBS[job](*arguments)


JOBS: dict[str, Callable[..., None]] = {
    job.__name__: job
    for job in (
        ingest,
        undo,
        touch,
        vectors,
        embed,
        cli,
        unasked,
        mount,
        unmount,
        look,
        add,
        hold,
        in_place,
        without_sync,
        without_lock,
    )
}


if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
