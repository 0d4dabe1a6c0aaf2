"""Subset: some of a catalog's products as a catalog of their own."""

from shelfwise.subset.run import SubsetSummary, subset

__all__ = ["SubsetSummary", "subset"]
