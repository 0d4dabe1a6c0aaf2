"""Change the category tree of a catalog or a bundle."""

from shelfwise.reshelve.run import ReshelveSummary, add, merge, move, remove, rename, split

__all__ = ["ReshelveSummary", "add", "merge", "move", "remove", "rename", "split"]
"""Each takes a catalog or a bundle; the same change of both leaves them with the same tree."""
