"""Evaluate: how good a bundle is on products it has not seen."""

from shelfwise.evaluate.run import EvaluateSummary, evaluate

__all__ = ["EvaluateSummary", "evaluate"]
