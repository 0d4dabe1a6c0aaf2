"""Ingest: foreign data becomes a catalog."""

from shelfwise.ingest.folder import ingest_folder
from shelfwise.ingest.grocery import ingest_grocery
from shelfwise.ingest.writer import IngestSummary

__all__ = ["IngestSummary", "ingest_folder", "ingest_grocery"]
