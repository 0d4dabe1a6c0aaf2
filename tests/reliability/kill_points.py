"""Stop a job before one of its calls, look at what is there, type its command again: what must hold each time."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from catalog_state import acknowledged, copied, logical_digest, untidy
from forked import Done, Jobs
from kill_jobs import BATCH
from system_calls import PUBLISHING, Call

from shelfwise.errors import CatalogError
from shelfwise.verify import verify

# Photos that are decoded ahead of the commit that takes them in, with one decoder.
AHEAD = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """A job that changes a catalog, what the catalog says before and after, and what the job counts."""

    name: str
    job: str
    arguments: tuple[object, ...]
    template: Path
    before: str | None
    after: str
    products: int = 0

    def run(self, jobs: Jobs, catalog: Path, decoded: Path, **how: object) -> Done:
        more = (decoded,) if self.job == "ingest" else ()
        return jobs.run(self.job, *self.arguments, catalog, *more, **how)


def sampled(calls: list[Call], count: int | None) -> list[int]:
    """Choose calls to stop at: all for None, else evenly, half on the small files and half among all that publish."""
    if count is None:
        return list(range(len(calls)))
    publishing = [n for n, call in enumerate(calls) if call.name in PUBLISHING]
    on_small = [n for n in publishing if calls[n].path.endswith(".json") or ".json." in calls[n].path]
    halves = [[group[int(n)] for n in np.linspace(0, len(group) - 1, count // 2)] for group in (on_small, publishing)]
    return sorted({place for half in halves for place in half})


def seen(catalog: Path) -> str:
    """What a reader sees: the digest of a whole catalog, or the message."""
    try:
        return logical_digest(catalog)
    except CatalogError as error:
        return str(error)


def wrong_for_readers(stage: Stage, catalog: Path) -> list[str]:
    now = seen(catalog)
    if stage.before is None and now != stage.after:
        said = (
            "was interrupted: type its command again" if acknowledged(catalog) else "(was interrupted|is not a catalog)"
        )
        return [] if re.search(said, now) else [f"a reader sees {now}"]
    partly = stage.job in ("vectors", "embed") and re.fullmatch("[0-9a-f]{64}", now)  # every commit of them is seen
    return [] if partly or now in (stage.before, stage.after) else [f"a reader sees {now}"]


def wrong_after_resuming(jobs: Jobs, stage: Stage, catalog: Path, decoded: Path) -> list[str]:
    """Type the command again, and once more."""
    is_done = stage.job == "undo" and seen(catalog) == stage.after  # typed again it would go one further back
    done = jobs.run("touch", catalog) if is_done else stage.run(jobs, catalog, decoded)
    if done.code:
        return [f"typed again it ends with {done.code}: {done.said}"]
    wrong = [] if seen(catalog) == stage.after else [f"in the end {seen(catalog)}"]
    wrong += untidy(catalog)
    if stage.job == "undo":
        return wrong
    description = (catalog / "catalog.json").read_bytes()
    work = decoded.stat().st_size if decoded.exists() else 0
    again = stage.run(jobs, catalog, decoded)
    if stage.job == "ingest":
        wrong += [] if f'"unchanged": {stage.products}' in again.said else [f"not unchanged: {again.said}"]
        wrong += [] if decoded.stat().st_size == work else ["a run with nothing to do decoded"]
    if (catalog / "catalog.json").read_bytes() != description:
        wrong.append("a run with nothing to do changed catalog.json")
    return wrong + untidy(catalog)


def wrong_after_kill(jobs: Jobs, stage: Stage, at: int, folder: Path, variant: tuple[str, ...] = ()) -> list[str]:
    """Kill the job before its call `at`, look at what is there, and go on; return what is not as it should be."""
    catalog, decoded = copied(stage.template, folder / "x.catalog"), folder / "decoded"
    decoded.unlink(missing_ok=True)
    if variant:
        done = jobs.run(*variant, stage.job, *stage.arguments, catalog, decoded, within=catalog, kill_at=at)
    else:
        done = stage.run(jobs, catalog, decoded, within=catalog, kill_at=at)
    if done.code != -signal.SIGKILL:
        return [f"it was to be killed and ended with {done.code}: {done.said}"]
    wrong = wrong_for_readers(stage, catalog)
    if (catalog / "catalog.json").exists():
        wrong += [f"verify finds {found}" for found in verify(catalog).findings if variant == ()]
    kept, before = acknowledged(catalog), decoded.stat().st_size if decoded.exists() else 0
    wrong += wrong_after_resuming(jobs, stage, catalog, decoded)
    if stage.name == "ingest":
        after = decoded.stat().st_size - before
        wrong += [f"{after} photos decoded where {kept} products were kept"] if after > stage.products - kept else []
        redone = before + after - stage.products
        wrong += [f"{redone} photos decoded twice"] if redone > BATCH + AHEAD else []
    return [f"{stage.name}, killed before call {at} {done.calls[-1]}: {what}" for what in wrong]


def unsafe(calls: list[Call], catalog: Path) -> tuple[int, list[str]]:
    """Count the renames that publish; list what a power cut could undo or tear.

    Before each: fsync of what is renamed, since its last write. After each: fsync of the folder, before the next one. And
    before the one of catalog.json: every file of its tables, and the folders on the way to them.
    """
    small = re.compile(re.escape(str(catalog)) + r"/(catalog|pending|(checksums|history)/[^/]+)\.json")
    publishing = [n for n, call in enumerate(calls) if call.name == "rename" and small.fullmatch(call.path)]
    wrong = []
    for place, n in enumerate(publishing):
        source, target = str(calls[n].source), calls[n].path
        about = [call.name for call in calls[:n] if call.path == source]
        wrong += [] if about[-1:] == ["fsync"] else [f"{target} is renamed without an fsync of its content"]
        until = publishing[place + 1] if place + 1 < len(publishing) else len(calls)
        synced = {call.path for call in calls[n:until] if call.name == "fsync"}
        wrong += [] if str(Path(target).parent) in synced else [f"the folder of {target} is not synced"]
    last = max(n for n in publishing if calls[n].path.endswith("catalog.json"))
    before = calls[:last]
    needed = {str(file) for table in catalog.glob("*.lance") for file in table.rglob("*") if file.is_file()}
    for file in sorted(name for name in needed if not name.endswith("hint.json")):
        made = [n for n, call in enumerate(before) if call.path == file and call.name in ("renameat", "linkat")]
        for what in (file, str(Path(file).parent)) if made else ():
            wrong += (
                [] if any(c.name == "fsync" and c.path == what for c in before[made[-1] :]) else [f"{what} unsynced"]
            )
    for folder in [folder for folder in catalog.rglob("*") if folder.is_dir()]:
        made = [n for n, call in enumerate(calls) if call.name == "mkdir" and call.path == str(folder)][:1]
        synced = [c.path for c in calls[made[0] :] if c.name == "fsync"] if made else [str(folder.parent)]
        wrong += [] if str(folder.parent) in synced else [f"the folder {folder} is not synced into the one above"]
    return len(publishing), wrong
