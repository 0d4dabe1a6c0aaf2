"""Train: a catalog's embeddings become a bundle."""

from shelfwise.train.run import TrainSummary, train

__all__ = ["TrainSummary", "train"]
