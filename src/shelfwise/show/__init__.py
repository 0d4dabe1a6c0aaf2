"""Show: what is in a catalog, at a glance."""

from shelfwise.show.run import ShowSummary, show

__all__ = ["ShowSummary", "show"]
