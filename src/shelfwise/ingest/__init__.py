"""Ingest: foreign data becomes a catalog."""

from shelfwise.ingest.folder import FolderSource
from shelfwise.ingest.grocery import GrocerySource
from shelfwise.ingest.writer import IngestSummary, ingest

__all__ = ["FolderSource", "GrocerySource", "IngestSummary", "ingest"]
