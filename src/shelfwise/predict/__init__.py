"""Predict: photos in, shelves out."""

from shelfwise.predict.run import Prediction, predict, to_csv

__all__ = ["Prediction", "predict", "to_csv"]
