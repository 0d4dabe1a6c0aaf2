"""How the heavy step of a verb is carried out."""

from shelfwise.engines.local import available_cores, map_ordered

__all__ = ["available_cores", "map_ordered"]
