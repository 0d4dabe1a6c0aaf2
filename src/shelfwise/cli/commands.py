"""Every command: importing this module registers them all on `app`."""

from shelfwise.cli import catalog, correcting, ingest, living, recipes, walk
from shelfwise.cli.app import app

__all__ = ["app", "catalog", "correcting", "ingest", "living", "recipes", "walk"]
