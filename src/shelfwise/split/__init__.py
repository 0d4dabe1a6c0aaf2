"""Split: every product gets its side, and what belongs together stays together."""

from shelfwise.split.run import SplitOptions, SplitSummary, split

__all__ = ["SplitOptions", "SplitSummary", "split"]
