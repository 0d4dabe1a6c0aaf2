"""The page's server: this machine only, one person, a secret address."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from shelfwise.errors import ShelfwiseError
from shelfwise.review.page import Page
from shelfwise.review.photos import SIDE_PX, shown
from shelfwise.review.sitting import Sitting

HOST = "127.0.0.1"
HEADER = "x-shelfwise-token"
THUMBNAIL_PX = 240
# A deed is a position, a word and the id of a shelf.
_LARGEST_DEED_BYTES = 1 << 20


class Verdict(BaseModel):
    """What a person decided about the product at a position."""

    model_config = ConfigDict(extra="forbid")
    position: int
    verdict: Literal["accept", "reject", "move", "skip"]
    to: str | None = None


def make_app(sitting: Sitting, page: Page, token: str) -> FastAPI:
    """Make the application; everything lies below `/TOKEN/`.

    Refused are other names of this host (a foreign page that rebinds its name to 127.0.0.1), an address without the token,
    and deeds without the token's header, which no foreign page can send.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    base = f"/{token}"

    @app.middleware("http")
    async def guard(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = _refusal(request, token) or await go_on(request)
        answer.headers.update(
            {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
        )
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("Content-Security-Policy", "default-src 'none'")
        return answer

    @app.exception_handler(ShelfwiseError)
    async def told(_: Request, error: ShelfwiseError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 409)

    @app.exception_handler(RequestValidationError)
    async def misunderstood(_: Request, error: RequestValidationError) -> JSONResponse:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return JSONResponse({"error": f"not understood: {said}"}, 422)

    @app.exception_handler(OSError)
    async def failed(_: Request, error: OSError) -> JSONResponse:
        return JSONResponse({"error": f"the catalog cannot be read or written: {error}"}, 503)

    @app.get(f"{base}/", response_class=HTMLResponse)
    def whole() -> HTMLResponse:
        return HTMLResponse(page.html, headers={"Content-Security-Policy": page.policy})

    @app.get(f"{base}/categories")
    def categories() -> list[dict[str, Any]]:
        tree = sitting.catalog.taxonomy
        return [{"id": node, "names": list(tree.names(node))} for node in tree.leaves]

    @app.get(f"{base}/items/{{position}}")
    def item(position: Annotated[int, Path(ge=0)]) -> dict[str, Any]:
        return sitting.item(position)

    @app.get(f"{base}/photos/{{number}}")
    def photo(number: Annotated[int, Path(ge=0)], small: bool = False) -> Response:
        inventory = sitting.queue.inventory
        if number >= inventory.photos:
            raise HTTPException(404)
        data = sitting.catalog.image_bytes([int(inventory.photo_row[number])])[0]
        content, media = shown(data, THUMBNAIL_PX if small else SIDE_PX)
        return Response(content, media_type=media, headers={"Cache-Control": "private, max-age=3600"})

    @app.post(f"{base}/verdicts")
    def verdict(told: Verdict) -> dict[str, Any]:
        return sitting.decide(told.position, told.verdict, told.to)

    @app.post(f"{base}/undo")
    def undo() -> dict[str, Any]:
        return sitting.undo()

    return app


def _refusal(request: Request, token: str) -> Response | None:
    port = request.scope["server"][1]
    if request.headers.get("host") not in (f"{HOST}:{port}", f"localhost:{port}"):
        return JSONResponse({"error": "this page is for this machine alone"}, 403)
    if not secrets.compare_digest(f"{request.url.path}/".split("/")[1].encode(), token.encode()):
        return JSONResponse({"error": "the address is not complete: open the one that review printed"}, 404)
    if request.method == "POST":
        given = request.headers.get(HEADER, "")
        is_json = request.headers.get("content-type", "").partition(";")[0] == "application/json"
        if not is_json or not secrets.compare_digest(given.encode(), token.encode()):
            return JSONResponse({"error": "this deed did not come from the page"}, 403)
        size = request.headers.get("content-length", "")
        if not size.isdecimal() or int(size) > _LARGEST_DEED_BYTES:
            return JSONResponse({"error": "no deed is that long"}, 413)
    elif request.method not in ("GET", "HEAD"):
        return JSONResponse({"error": "the page does not do that"}, 405)
    return None
