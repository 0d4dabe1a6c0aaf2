"""Verify: is everything still what was written?"""

from shelfwise.verify.run import Finding, VerifySummary, verify

__all__ = ["Finding", "VerifySummary", "verify"]
