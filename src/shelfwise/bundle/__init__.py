"""The bundle: what was learned, in a folder or one .zip."""

from shelfwise.bundle.model import Bundle

__all__ = ["Bundle"]
