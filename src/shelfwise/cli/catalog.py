"""Commands on a catalog at rest: show, split, subset, quarantine, export, undo, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App

from shelfwise.cli.app import FLAGS, FLAT, app, print_json
from shelfwise.errors import OptionError
from shelfwise.options import ExportOptions, SplitOptions, SubsetOptions

quarantine = App(name="quarantine", help="What could not be used: look at it, try again.", default_parameter=FLAGS)
app.command(quarantine)


@app.command
def show(catalog: Path, *, json: bool = False) -> int:
    """Tell what is in a catalog: counts, tree, photo sizes, a sample, the quarantine, where it came from.

    Parameters
    ----------
    catalog:
        The catalog folder.
    json:
        Print everything as JSON.
    """
    from shelfwise.cli import catalog_summaries
    from shelfwise.show import show

    summary = show(catalog)
    return print_json(summary.to_dict()) if json else catalog_summaries.shown(summary)


@app.command
def split(catalog: Path, options: Annotated[SplitOptions, FLAT] = SplitOptions(), *, json: bool = False) -> int:
    """Divide products into splits or folds, by the hash of their ids; look-alikes and groups stay together.

    Parameters
    ----------
    catalog:
        The catalog folder.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import catalog_summaries, progress
    from shelfwise.split import split

    summary = split(catalog, options, progress=progress.bars())
    return print_json(summary.to_dict()) if json else catalog_summaries.divided(summary)


@app.command
def subset(
    catalog: Path, *, to: Path, options: Annotated[SubsetOptions, FLAT] = SubsetOptions(), json: bool = False
) -> int:
    """Write some of a catalog's products, with their photos and splits, as a catalog of their own.

    Parameters
    ----------
    catalog:
        The catalog folder.
    to:
        The catalog to write, by convention NAME.catalog; it must not exist.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import catalog_summaries, progress
    from shelfwise.subset import subset

    summary = subset(catalog, to, options, progress=progress.bars())
    return print_json(summary.to_dict()) if json else catalog_summaries.taken(summary)


@quarantine.command(name="list")
def list_(catalog: Path, *, code: str | None = None, limit: int = 50, json: bool = False) -> int:
    """List rows and photos that could not be used, with their place and the reason.

    Parameters
    ----------
    catalog:
        The catalog folder.
    code:
        Only those with this reason, e.g. img_truncated.
    limit:
        At most so many; 0 lists all.
    json:
        Print them as JSON.
    """
    from shelfwise.cli import catalog_summaries
    from shelfwise.ingest.quarantine import quarantined

    if limit < 0:
        raise OptionError(f"--limit {limit}: give a number, or 0 for all")
    entries = [entry for entry in quarantined(catalog) if code in (None, entry["code"])]
    shown = entries[: limit or None]
    if json:
        return print_json({"total": len(entries), "quarantined": shown})
    return catalog_summaries.listed(shown, len(entries), catalog)


@quarantine.command
def retry(catalog: Path, *, json: bool = False) -> int:
    """Read and decode quarantined and missing photos again; those that can be used now come in.

    Parameters
    ----------
    catalog:
        The catalog folder.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import catalog_summaries, progress
    from shelfwise.ingest.quarantine import retry

    summary = retry(catalog, progress=progress.bars())
    return print_json(summary.to_dict()) if json else catalog_summaries.retried(summary)


@app.command
def export(
    catalog: Path, *, to: Path, options: Annotated[ExportOptions, FLAT] = ExportOptions(), json: bool = False
) -> int:
    """Write a catalog in a format that others read; what the format cannot hold is counted.

    Parameters
    ----------
    catalog:
        The catalog folder.
    to:
        The folder to write; it must not exist.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import catalog_summaries, progress
    from shelfwise.export import export

    summary = export(catalog, to, options, progress=progress.bars())
    return print_json(summary.to_dict()) if json else catalog_summaries.exported(summary)


@app.command
def undo(catalog: Path, *, json: bool = False) -> int:
    """Take a catalog back by one change: the last ingest, split, retry or fix.

    Parameters
    ----------
    catalog:
        The catalog folder.
    json:
        Print both versions as JSON.
    """
    from shelfwise.catalog import undo
    from shelfwise.cli import catalog_summaries

    left, now = undo(catalog)
    if json:
        return print_json({"undone": {"version": left.version, "what": left.what}, "version": now.version})
    return catalog_summaries.undone(catalog, left, now)


@app.command
def verify(path: Path, *, json: bool = False) -> int:
    """Compare every file and every picture of a catalog or bundle with its recorded sha256; exit code 1 if any differs.

    Parameters
    ----------
    path:
        A catalog folder, a bundle folder or a bundle .zip.
    json:
        Print the findings as JSON.
    """
    from shelfwise.cli import catalog_summaries, progress
    from shelfwise.verify import verify

    summary = verify(path, progress=progress.bars())
    if json:
        print_json(summary.to_dict())
    else:
        catalog_summaries.verified(summary)
    return 1 if summary.findings else 0
