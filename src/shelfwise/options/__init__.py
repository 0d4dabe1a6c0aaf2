"""Every option, once: a field here is the flag, its check, its help, and the Python argument."""

from shelfwise.options.catalog import (
    AuditOptions,
    CdiscountOptions,
    ExportOptions,
    IngestOptions,
    ReviewOptions,
    SplitOptions,
    TableOptions,
)
from shelfwise.options.learning import (
    HEADS,
    DemoOptions,
    EmbedOptions,
    EvaluateOptions,
    PredictOptions,
    TrainOptions,
    UpdateOptions,
)
from shelfwise.options.network import NetworkOptions
from shelfwise.options.subset import SubsetOptions

__all__ = [
    "HEADS",
    "AuditOptions",
    "CdiscountOptions",
    "DemoOptions",
    "EmbedOptions",
    "EvaluateOptions",
    "ExportOptions",
    "IngestOptions",
    "NetworkOptions",
    "PredictOptions",
    "ReviewOptions",
    "SplitOptions",
    "SubsetOptions",
    "TableOptions",
    "TrainOptions",
    "UpdateOptions",
]
