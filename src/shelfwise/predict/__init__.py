"""Predict: photos in, shelves out."""

from shelfwise.predict.certain import Sure
from shelfwise.predict.prediction import Prediction, to_csv
from shelfwise.predict.run import predict

__all__ = ["Prediction", "Sure", "predict", "to_csv"]
