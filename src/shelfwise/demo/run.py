"""Draw, import, embed, learn, evaluate; then count which of the planted faults were found."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.demo.plant import Planted, draw_shop
from shelfwise.embed import embed
from shelfwise.errors import OptionError
from shelfwise.evaluate import evaluate
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import DemoOptions, EmbedOptions
from shelfwise.predict import predict
from shelfwise.progress import SILENT, Progress
from shelfwise.train import train

# A picture on at least so many shelves shows no product. Source: thesis R4, whose placeholders lie in 139 to 429 categories.
_PLACEHOLDER_SHELVES = 3
_MARKER = ".shelfwise-demo"


@dataclass(frozen=True, slots=True)
class Found:
    """How many planted faults of a kind were found, and how many findings were none of them."""

    kind: str
    planted: int
    found: int
    others: int


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo made and what it found."""

    folder: str
    report: str
    metrics: dict[str, Any]
    faults: tuple[Found, ...]
    example: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        faults = [{"kind": f.kind, "planted": f.planted, "found": f.found, "others": f.others} for f in self.faults]
        figures = {name: self.metrics[name] for name in ("top1", "top5", "macro_f1", "levels")}
        return {
            "folder": self.folder, "report": self.report, "faults": faults, "example": self.example,
            "seconds": self.seconds,
        } | figures  # fmt: skip


def demo(
    options: DemoOptions | None = None, *, progress: Progress = SILENT, say: Callable[[str], None] = lambda _line: None
) -> DemoSummary:
    """Walk from drawn photos to an evaluated bundle; `say` is told each command as it would be typed.

    Raises OptionError when the folder exists and is not an earlier demo's.
    """
    options = options or DemoOptions()
    started, to = time.perf_counter(), Path(options.to)
    _prepare(to)
    photos, catalog, bundle, report = to / "photos", to / "shop.catalog", to / "shop.bundle", to / "report"
    planted = draw_shop(photos, progress)
    say(f"\n$ shelfwise ingest folder {photos} --to {catalog}")
    ingest(FolderSource(photos), catalog, progress=progress)
    say(f"$ shelfwise embed {catalog} --preset fast")
    embed(catalog, EmbedOptions(preset="fast"), progress=progress)
    say(f"$ shelfwise train {catalog} --to {bundle}")
    train(catalog, bundle, progress=progress)
    say(f"$ shelfwise evaluate {bundle} {catalog} --split test --to {report}")
    learned = Bundle.load(bundle)
    evaluated = evaluate(learned, catalog, report, progress=progress)
    example = next((photos / "test").rglob("*.jpg"))
    say(f"$ shelfwise predict {bundle} {example}\n")
    answer = next(predict(learned, [example])).to_dict()
    faults = _count_faults(Catalog(catalog), learned, planted)
    seconds = round(time.perf_counter() - started, 1)
    return DemoSummary(str(to), str(evaluated.report), evaluated.metrics, faults, answer, seconds)


def _prepare(to: Path) -> None:
    if to.exists():
        if not (to / _MARKER).exists():
            raise OptionError(f"{to} exists and is no earlier demo: choose another folder with --to")
        shutil.rmtree(to)
    to.mkdir(parents=True)
    (to / _MARKER).touch()


def _count_faults(catalog: Catalog, bundle: Bundle, planted: Planted) -> tuple[Found, ...]:
    """Compare what was found with what was planted; of the ranked wrong shelves, as many are taken as were planted."""
    broken, repeats, placeholders = _picture_findings(catalog)
    suspects = _wrong_shelf_suspects(bundle, len(planted.wrong_shelves) + len(planted.placeholders), placeholders)
    suspects = suspects[: len(planted.wrong_shelves)]
    return (
        _compared("broken files", planted.broken, broken),
        _compared("repeated pictures", planted.repeats, repeats),
        _compared("placeholder pictures", planted.placeholders, placeholders),
        _compared("wrong shelves", set(planted.wrong_shelves), set(suspects)),
    )


def _compared(kind: str, planted: set[str], found: set[str]) -> Found:
    return Found(kind, len(planted), len(planted & found), len(found - planted))


def _picture_findings(catalog: Catalog) -> tuple[set[str], set[str], set[str]]:
    """Return product ids whose picture is broken, repeated on one shelf, or spread over several."""
    shelf_of = {row["product_id"]: row["category"] for row in catalog.products(["product_id", "category"]).to_pylist()}
    broken: set[str] = set()
    by_picture: dict[bytes, set[str]] = {}
    for row in catalog.images(["product_id", "sha256", "status"]).to_pylist():
        if row["status"] == "ok":
            by_picture.setdefault(row["sha256"], set()).add(row["product_id"])
        else:
            broken.add(row["product_id"])
    repeated = [products for products in by_picture.values() if len(products) > 1]
    spread = [ps for ps in repeated if len({shelf_of[p] for p in ps}) >= _PLACEHOLDER_SHELVES]
    placeholders = {product for products in spread for product in products}
    return broken, {product for products in repeated for product in products} - placeholders, placeholders


def _wrong_shelf_suspects(bundle: Bundle, count: int, aside: set[str]) -> list[str]:
    """Rank training products by how much likelier, left out, another shelf is than their own."""
    answers = bundle.left_out()
    doubt = np.where(answers.right, -1.0, answers.confidence - answers.probability_of_truth)
    ranked = answers.product_ids[np.argsort(-doubt, kind="stable")]
    return [str(product) for product in ranked[:count] if str(product) not in aside]
