"""Demo: the whole walk on drawn photos with planted faults."""

from shelfwise.demo.run import DemoSummary, demo

__all__ = ["DemoSummary", "demo"]
