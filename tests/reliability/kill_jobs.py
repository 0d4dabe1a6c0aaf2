"""Jobs that change a catalog, run in processes forked from one that has imported everything: a kill costs half a second.

`Jobs` talks to that process, which never opens Lance itself: what Lance starts does not survive a fork.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

import system_calls
from system_calls import PUBLISHING, Call

BATCH = 8
KEY = "toy-32-fp32"
EMBED_BATCH = 16


# --- the jobs -------------------------------------------------------------------------------------------------------


def ingest(photos: str, catalog: str, decoded: str) -> None:
    """Ingest with a commit every BATCH products and one decoder; every photo that is decoded adds a byte to `decoded`."""
    import shelfwise.ingest.writer as writer
    from shelfwise.ingest import ingest_folder

    plain = writer.image_row

    def counted(*arguments: Any, **options: Any) -> dict[str, Any]:
        row = plain(*arguments, **options)
        with Path(decoded).open("ab") as log:
            log.write(b".")
        return row

    writer.image_row = counted
    writer._PRODUCTS_PER_COMMIT = BATCH
    writer.available_cores = lambda: 1
    done = ingest_folder(photos, catalog)
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
    from shelfwise.options import EmbedOptions

    run._ROWS_PER_COMMIT = EMBED_BATCH
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
                [{"image_id": f"{product_id}#0", "product_id": product_id, "position": 0, "status": "ok", "bytes": b"x"}]
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
    job.__name__: job for job in (ingest, undo, touch, vectors, embed, cli, unasked, mount, unmount, look, add, hold, in_place, without_sync, without_lock)
}


# --- the process that forks -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do, and how it ends before its time.

    kill_at: the number of the call within `within` before which it is killed. fail_at: from this call on all of
    `fail_kinds` fail with `error`, or this one alone for `fail_once`. kill_after_s: time after which it is killed.
    """

    job: str
    arguments: tuple[str, ...]
    said: str
    within: str | None = None
    kill_at: int | None = None
    fail_at: int | None = None
    fail_kinds: tuple[str, ...] = ()
    fail_once: bool = False
    error: int = 0
    kill_after_s: float | None = None

    def decide(self, call: Call, number: int) -> int | None:
        if number == self.kill_at:
            return None
        if self.fail_at is None or number < self.fail_at or call.name not in self.fail_kinds:
            return 0
        return self.error if not self.fail_once or number == self.fail_at else 0


def serve() -> None:
    """Do orders, a JSON line each, until there are no more."""
    import lance  # noqa: F401 - imported here so that no forked process has to

    import shelfwise.embed
    import shelfwise.ingest  # noqa: F401

    warnings.filterwarnings("ignore", "lance is not fork-safe")
    for line in sys.stdin:
        order = Order(**json.loads(line))

        def job(order: Order = order) -> None:
            said = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            JOBS[order.job](*order.arguments)

        started = time.monotonic()
        calls: list[Call] = []
        if order.within is None:
            code = run(job, order.kill_after_s)
        else:
            code, calls = system_calls.watch(job, Path(order.within), order.decide)
        answer = {"code": code, "seconds": time.monotonic() - started, "calls": [asdict(call) for call in calls]}
        print(json.dumps(answer), flush=True)


def run(job: Callable[[], None], kill_after_s: float | None) -> int:
    """Fork and do a job, killed after a time if it is not done by then."""
    child = os.fork()
    if not child:
        system_calls.finish(job)
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    if not poll.poll(None if kill_after_s is None else kill_after_s * 1000):
        os.kill(child, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended: exit code (negative for a signal), what it printed, the calls that it made or was about to make."""

    code: int
    said: str
    calls: list[Call]
    seconds: float


class Jobs:
    """The client's end of a process that forks; to be used with `with`. inside: what it is started by."""

    def __init__(self, folder: Path, inside: tuple[str, ...] = ()) -> None:
        self._said = folder / f"said-{random.randrange(2**32):08x}.txt"
        here = str(Path(__file__).resolve())
        self._server = subprocess.Popen(
            [*inside, sys.executable, here, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def run(self, job: str, *arguments: object, **how: Any) -> Done:
        """Do a job; `how` are the fields of Order."""
        assert self._server.stdin and self._server.stdout
        if how.get("within") is not None:
            how["within"] = str(how["within"])
        order = Order(job=job, arguments=tuple(map(str, arguments)), said=str(self._said), **how)
        self._server.stdin.write(json.dumps(asdict(order)) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        calls = [Call(**call) for call in answer["calls"]]
        return Done(answer["code"], self._said.read_text(), calls, answer["seconds"])


# --- what a catalog holds -------------------------------------------------------------------------------------------


def logical_digest(catalog: Path) -> str:
    """Digest what a catalog says, whatever its files are: products, images with their bytes, quarantine, tree, vectors."""
    from shelfwise.catalog import Catalog

    opened = Catalog(catalog)
    products = [row | {"fingerprint": None} for row in opened.products().to_pylist()]
    columns = ["image_id", "product_id", "position", "sha256", "perceptual_hash", "width", "height", "status", "bytes"]
    images = opened.images(columns).to_pylist()
    for row in images:
        row["bytes"] = row["bytes"] and hashlib.sha256(row["bytes"]).hexdigest()
        row["sha256"] = row["sha256"] and row["sha256"].hex()
    quarantine = [row | {"time": None} for row in opened.quarantine().to_pylist()]
    vectors = {}
    for key in opened.description.embeddings:
        digests = opened.embedded_pictures(key.removeprefix("embeddings__")).to_pylist()
        rows = opened.embedding_rows(key.removeprefix("embeddings__"), np.arange(len(digests)))
        vectors[key] = sorted((digest.hex(), row.tobytes().hex()) for digest, row in zip(digests, rows, strict=True))
    said = {
        "products": sorted(products, key=lambda row: row["product_id"]),
        "images": sorted(images, key=lambda row: row["image_id"]),
        "quarantine": quarantine,
        "taxonomy": sorted(opened.taxonomy.table().to_pylist(), key=lambda row: row["id"]),
        "levels": opened.taxonomy.level_names,
        "vectors": vectors,
        "embedded": opened.description.embedded,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


_HINT = "_versions/latest_version_hint.json"
_AT_REST = {".locks", "catalog.json", "checksums", "history"}


def untidy(catalog: Path) -> list[str]:
    """List what should not lie in a catalog that nobody is changing, and checksums that are wrong or of nothing."""
    found = [str(path) for path in catalog.parent.rglob("*") if path.name.endswith(".part")]
    found += [str(p) for p in catalog.iterdir() if p.name not in _AT_REST and not p.name.endswith(".lance")]
    for table in catalog.glob("*.lance"):
        stored = json.loads((catalog / "checksums" / f"{table.stem}.json").read_text())["files"]
        lying = {p.relative_to(table).as_posix(): p for p in table.rglob("*") if p.is_file()}
        lying.pop(_HINT, None)
        found += [f"unknown: {lying[name]}" for name in sorted(set(lying) - set(stored))]
        found += [f"gone: {table / name}" for name in sorted(set(stored) - set(lying))]
        for name in set(lying) & set(stored):
            if hashlib.sha256(lying[name].read_bytes()).hexdigest() != stored[name]:
                found.append(f"checksum: {lying[name]}")
    return found


def acknowledged(catalog: Path) -> int:
    """Count the products that an interrupted import has put away for good."""
    import lance

    pending = catalog / "pending.json"
    if not pending.exists():
        return 0
    version = json.loads(pending.read_text())["tables"]["products"]
    return int(lance.dataset(str(catalog / "products.lance"), version=version).count_rows())


def copied(catalog: Path, to: Path) -> Path:
    """Copy a catalog over what lies there, or make sure that nothing does."""
    shutil.rmtree(to, ignore_errors=True)
    if catalog.exists():
        shutil.copytree(catalog, to)
    return to


def sampled(calls: list[Call], count: int | None) -> list[int]:
    """Choose calls to stop at: all for None, else evenly among those that publish, first those on the small files."""
    if count is None or count >= len(calls):
        return list(range(len(calls)))
    small = ("catalog.json", "pending.json", "history", "checksums")
    publishing = [n for n, call in enumerate(calls) if call.name in PUBLISHING]
    on_small = [n for n in publishing if any(name in call_path(calls[n]) for name in small)]
    chosen: set[int] = set()
    for group, share in ((on_small, count // 2), (publishing, count)):
        rest = [n for n in group if n not in chosen]
        wanted = min(share - (len(chosen) if share == count else 0), len(rest))
        chosen |= {rest[int(place)] for place in np.linspace(0, len(rest) - 1, wanted)} if wanted > 0 else set()
    return sorted(chosen)


def call_path(call: Call) -> str:
    return f"{call.source or ''} {call.path}"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        JOBS[sys.argv[1]](*sys.argv[2:])
