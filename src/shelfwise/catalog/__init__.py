"""The catalog: products, images, taxonomy and embeddings at rest."""

from shelfwise.catalog.change import Change, changing, refuse_busy, undo
from shelfwise.catalog.store import Catalog

__all__ = ["Catalog", "Change", "changing", "refuse_busy", "undo"]
