"""What people decide about products: carried out as versions of the catalog, logged, and taken back one by one."""

from shelfwise.corrections.decide import Correction
from shelfwise.corrections.make import Corrected, correct, take_back

__all__ = ["Corrected", "Correction", "correct", "take_back"]
