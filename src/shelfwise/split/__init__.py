"""Split: every product gets its side, and what belongs together stays together."""

from shelfwise.split.run import SplitSummary, split

__all__ = ["SplitSummary", "split"]
