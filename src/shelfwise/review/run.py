"""Go through suspected wrong shelves, on a page or in a spreadsheet, and put them right."""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from shelfwise.catalog import Catalog
from shelfwise.corrections.plan import Proposal, refuse_place, write_plan
from shelfwise.errors import OptionError
from shelfwise.options import ReviewOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.review.page import render
from shelfwise.review.queue import Queue, open_queue
from shelfwise.review.server import HOST, make_app
from shelfwise.review.sitting import Sitting


@dataclass(slots=True, kw_only=True)
class ReviewSummary:
    """What came of a review.

    suspects = accepted + rejected + elsewhere + skipped + dissolved + left; dissolved: suspects that the shelves, as
    corrected, did not suspect any more when their turn came. undone: decisions that were taken back. csv: the queue, where
    it was written instead. next: the command that comes afterwards.
    """

    catalog: str
    who: str
    suspects: int
    accepted: int = 0
    rejected: int = 0
    elsewhere: int = 0
    skipped: int = 0
    dissolved: int = 0
    left: int = 0
    undone: int = 0
    version: int = 0
    csv: str | None = None
    next: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def review(
    catalog: Path | str,
    options: ReviewOptions | None = None,
    bundle: Path | str | None = None,
    *,
    csv: Path | str | None = None,
    opened: Callable[[str], None] = lambda _: None,
    progress: Progress = SILENT,
) -> ReviewSummary:
    """Serve the queue as a page until Ctrl-C, or write it to `csv` as a plan for `shelfwise apply`.

    opened: called with the page's address once it answers; a browser is opened where there is a screen. Every decision is a
    version of the catalog at once, and all of them are one step of `undo`.
    Raises CatalogError for a catalog without embeddings, OptionError for a port that is taken and for a plan that exists.
    """
    options, found = options or ReviewOptions(), Catalog(catalog)
    if csv is not None:
        refuse_place("--csv", Path(csv), found.path)
    queue = open_queue(found, options, bundle, progress)
    sitting = Sitting(queue, options.who)
    if csv is not None:
        lines = write_plan(csv, _proposals(queue), found)
        return _summary(sitting, csv=str(csv), next=f"shelfwise apply {_typed(Path(csv))}" if lines else "")
    train = f"shelfwise train {_typed(found.path)} --to {_typed(_bundle_of(found.path))}"

    def ready(address: str) -> None:
        opened(address)
        if not options.no_browser and _has_screen():
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    serve(sitting, train, options.port, ready)
    return _summary(sitting, next=train)


def _typed(path: Path) -> str:
    """Write a path as a shell takes it, and no command for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _bundle_of(catalog: Path) -> Path:
    """Name a bundle beside a catalog."""
    place = catalog if catalog.name not in ("", "..") else catalog.resolve()
    return place.with_name(f"{place.name.removesuffix('.catalog') or 'shop'}.bundle")


def serve(sitting: Sitting, train: str, port: int, opened: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C."""
    token = secrets.token_urlsafe(24)
    name = sitting.catalog.path.name.removesuffix(".catalog")
    app = make_app(sitting, render(name, sitting.who, train), token)
    listening = _listening(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/{token}/"
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2, lifespan="off"
    )
    server = _Server(config, lambda: opened(address))
    with listening, suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


def _has_screen() -> bool:
    """Without one, a browser of the terminal would be opened over what is printed there."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise OptionError(f"--port {port}: {error.strerror}; 0 takes any that is free") from None
    return listening


def _proposals(queue: Queue) -> Iterator[Proposal]:
    """Go through the suspects as lines of a plan."""
    suspects, categories = queue.suspects, queue.inventory.categories
    for place, product in enumerate(suspects.product.tolist()):
        row = queue.catalog.product_rows([product], ["product_id", "title"])[0]
        own, other = float(suspects.own_probability[place]), float(suspects.shelf_probability[place])
        yield Proposal(
            action="move", kind="wrong_shelf", product_id=row["product_id"], title=row["title"],
            category=categories[suspects.category[place]], to=categories[suspects.shelf[place]],
            score=float(suspects.doubt[place]),
            reason=f"probability {other:.0%} there, {own:.0%} where it stands",
        )  # fmt: skip


def _summary(sitting: Sitting, **facts: Any) -> ReviewSummary:
    counts = sitting.counts
    return ReviewSummary(
        catalog=str(sitting.catalog.path), who=sitting.who, suspects=len(sitting.queue), accepted=counts["accept"],
        rejected=counts["reject"], elsewhere=counts["move"], skipped=counts["skip"], dissolved=sitting.dissolved,
        left=counts["left"], undone=sitting.undone, version=sitting.catalog.description.snapshot.version, **facts,
    )  # fmt: skip
