"""Ingest: foreign data becomes a catalog."""

from __future__ import annotations

from pathlib import Path

from shelfwise.ingest.folder import FolderSource
from shelfwise.ingest.grocery import GrocerySource
from shelfwise.ingest.writer import IngestSummary, ingest
from shelfwise.options import IngestOptions
from shelfwise.progress import SILENT, Progress

__all__ = ["FolderSource", "GrocerySource", "IngestSummary", "ingest", "ingest_folder", "ingest_grocery"]


def ingest_folder(
    root: Path | str, to: Path | str, options: IngestOptions | None = None, *, progress: Progress = SILENT
) -> IngestSummary:
    """Bring a folder of class folders into a catalog; one photo is one product."""
    return ingest(FolderSource(Path(root)), to, options, progress=progress)


def ingest_grocery(
    root: Path | str, to: Path | str, options: IngestOptions | None = None, *, progress: Progress = SILENT
) -> IngestSummary:
    """Bring the Grocery Store Dataset into a catalog."""
    return ingest(GrocerySource(Path(root)), to, options, progress=progress)
