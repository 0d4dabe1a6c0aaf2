"""review: go through suspected wrong shelves, on a page or in a spreadsheet, and put them right."""

from shelfwise.review.run import ReviewSummary, review

__all__ = ["ReviewSummary", "review"]
