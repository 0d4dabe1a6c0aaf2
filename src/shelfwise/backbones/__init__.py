"""Backbones: cards, graphs, and photos turned into vectors."""

from shelfwise.backbones.cards import PRESETS, BackboneCard, BackboneSpec, parse_specs
from shelfwise.backbones.extractor import Extractor
from shelfwise.backbones.features import FeatureLayout

__all__ = ["PRESETS", "BackboneCard", "BackboneSpec", "Extractor", "FeatureLayout", "parse_specs"]
