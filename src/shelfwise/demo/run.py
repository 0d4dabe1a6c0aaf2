"""Draw, import, embed, audit, learn, evaluate; then count which of the planted faults were found."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.audit import AuditSummary, audit
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.demo.plant import Planted, draw_shop
from shelfwise.embed import embed
from shelfwise.errors import OptionError
from shelfwise.evaluate import evaluate
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import DemoOptions, EmbedOptions, EvaluateOptions
from shelfwise.predict import predict
from shelfwise.progress import SILENT, Progress
from shelfwise.train import train

_MARKER = ".shelfwise-demo"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many planted faults of a kind were found, and how many findings were none of them."""

    kind: str
    planted: int
    found: int
    others: int


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo made and what it found."""

    folder: str
    audit: str
    report: str
    metrics: dict[str, Any]
    faults: tuple[Counted, ...]
    example: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        faults = [{"kind": f.kind, "planted": f.planted, "found": f.found, "others": f.others} for f in self.faults]
        figures = {name: self.metrics[name] for name in ("top1", "top5", "macro_f1", "levels")}
        return {
            "folder": self.folder, "audit": self.audit, "report": self.report, "faults": faults, "example": self.example,
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
    say(f"$ shelfwise audit {catalog} --to {to / 'audit'}")
    audited = audit(catalog, to / "audit", progress=progress)
    say(f"$ shelfwise train {catalog} --to {bundle}")
    train(catalog, bundle, progress=progress)
    say(f"$ shelfwise evaluate {bundle} {catalog} --split test --max-error 0.05 --to {report}")
    learned = Bundle.load(bundle)
    evaluated = evaluate(learned, catalog, report, EvaluateOptions(max_error=0.05), progress=progress)
    example = next((photos / "test").rglob("*.jpg"))
    say(f"$ shelfwise predict {bundle} {example}\n")
    answer = next(predict(learned, [example])).to_dict()
    faults = _count_faults(Catalog(catalog), audited, planted)
    seconds = round(time.perf_counter() - started, 1)
    return DemoSummary(str(to), audited.report, str(evaluated.report), evaluated.metrics, faults, answer, seconds)


def _prepare(to: Path) -> None:
    if to.exists():
        if not (to / _MARKER).exists():
            raise OptionError(f"{to} exists and is no earlier demo: choose another folder with --to")
        shutil.rmtree(to)
    to.mkdir(parents=True)
    (to / _MARKER).touch()


def _count_faults(catalog: Catalog, audited: AuditSummary, planted: Planted) -> tuple[Counted, ...]:
    """Compare what was found with what was planted; of the ranked wrong shelves, as many are taken as were planted."""
    broken = {
        row["product_id"] for row in catalog.images(["product_id", "status"]).to_pylist() if row["status"] != "ok"
    }

    def found(kind: str, most: int | None = None) -> set[str]:
        return set(catalog.product_ids(audited.found[kind].product[:most]))

    return (
        _compared("broken files", planted.broken, broken),
        _compared("repeated pictures", planted.repeats, found("exact_repeat")),
        _compared("placeholder pictures", planted.placeholders, found("placeholder")),
        _compared("wrong shelves", set(planted.wrong_shelves), found("wrong_shelf", len(planted.wrong_shelves))),
    )


def _compared(kind: str, planted: set[str], found: set[str]) -> Counted:
    return Counted(kind, len(planted), len(planted & found), len(found - planted))
