"""Teach a bundle other products without learning anew."""

from shelfwise.update.run import UpdateSummary, update

__all__ = ["UpdateSummary", "update"]
