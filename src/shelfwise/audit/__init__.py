"""Look through a catalog for repeats, placeholders, leaks, poor photos and wrong shelves."""

from shelfwise.audit.run import AuditSummary, audit

__all__ = ["AuditSummary", "audit"]
