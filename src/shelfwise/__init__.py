"""Shelfwise puts every product photo on the right shelf."""

__version__ = "0.1.0"
