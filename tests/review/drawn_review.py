"""A shop with products on wrong shelves, and its review page, really served."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.catalog import Catalog
from shelfwise.corrections import Correction, correct
from shelfwise.corrections.log import settled_products
from shelfwise.options import ReviewOptions
from shelfwise.review.page import render
from shelfwise.review.queue import open_queue
from shelfwise.review.run import HOST, _listening, _Server
from shelfwise.review.server import make_app
from shelfwise.review.sitting import Sitting


def misfiled(embedded: Path, to: Path, count: int) -> tuple[Path, dict[str, str]]:
    """Copy an embedded catalog and put every 7th product on the next shelf; returns where those belong."""
    catalog = shutil.copytree(embedded, to)
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    shelves = Catalog(catalog).taxonomy.leaves
    chosen = rows[::7][:count]
    with_wrong = [
        Correction(
            action="move", product_id=row["product_id"], was=row["category"],
            category=shelves[(shelves.index(row["category"]) + 1) % len(shelves)],
        )
        for row in chosen
    ]  # fmt: skip
    assert correct(catalog, with_wrong, origin="plant").refused == []
    forget_log(catalog)
    return catalog, {row["product_id"]: row["category"] for row in chosen}


def forget_log(catalog: Path) -> None:
    """Take the log of corrections out of a catalog: what was planted was decided by nobody."""
    from shelfwise.catalog import changing, schema

    with changing(catalog, "forget") as change:
        change._tables["corrections"].replace(schema.CORRECTIONS.empty_table())
    assert settled_products(Catalog(catalog)) == {}


def categories(catalog: Path) -> dict[str, str]:
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    return {row["product_id"]: row["category"] for row in rows}


@dataclass
class Served:
    """A served page: its address, and how a browser, or somebody else, asks it."""

    address: str
    sitting: Sitting

    @property
    def token(self) -> str:
        return self.address.rstrip("/").rpartition("/")[2]

    def ask(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None, address: str | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, content and headers of an answer; a body makes it a POST as the page sends it."""
        more = {} if body is None else {"Content-Type": "application/json", "X-Shelfwise-Token": self.token}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((address or self.address) + path, data, more | (headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, self._content(answer), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._content(error), dict(error.headers)

    @staticmethod
    def _content(answer: Any) -> Any:
        content = answer.read()
        return json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content


@contextmanager
def served(catalog: Path, **options: Any) -> Iterator[Served]:
    """Serve the review page of a catalog from a thread."""
    import uvicorn

    sitting = Sitting(open_queue(Catalog(catalog), ReviewOptions(**options)), options.get("who"))
    app = make_app(sitting, render("shop", sitting.who, "shelfwise train"), "secret-of-this-test")
    ready = threading.Event()
    listening = _listening(0)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert ready.wait(30)
        yield Served(f"http://{HOST}:{listening.getsockname()[1]}/secret-of-this-test/", sitting)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
