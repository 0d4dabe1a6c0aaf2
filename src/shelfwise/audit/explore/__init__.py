"""What a catalog holds, as counts: categories, attributes, sizes, colors, splits, samples."""

from shelfwise.audit.explore.colors import Colors
from shelfwise.audit.explore.explore import Exploration, explore

__all__ = ["Colors", "Exploration", "explore"]
