"""Export: a catalog becomes files that others read."""

from shelfwise.export.run import export
from shelfwise.export.summary import ExportSummary

__all__ = ["ExportSummary", "export"]
