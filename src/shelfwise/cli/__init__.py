"""The command line."""

from shelfwise.cli.main import main

__all__ = ["main"]
