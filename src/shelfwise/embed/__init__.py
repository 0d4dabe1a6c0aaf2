"""Embed: photos become vectors."""

from shelfwise.embed.run import EmbedSummary, embed

__all__ = ["EmbedSummary", "embed"]
