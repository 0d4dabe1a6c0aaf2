"""The evaluated products beside the held-out ones of the shop that the bundle learned from."""

from __future__ import annotations

from typing import Any

from shelfwise.bundle import Bundle
from shelfwise.errors import OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.shift import shift

_BELOW_CHANCE = (
    "Only {here:.1%} of these products are answered rightly, fewer than an answer drawn blindly would be ({chance:.1%}): the "
    "categories of this catalog may mean something else than those learned, or its photos are prepared otherwise."
)


def shifted(bundle: Bundle, answers: Answers, notes: list[str]) -> dict[str, Any]:
    """Return `shift` and the notes with what it has to say; raises OptionError for a bundle without held-out answers."""
    held_out = bundle.held_out()
    if not len(held_out):
        raise OptionError("--shift: the bundle keeps no held-out answers to compare with")
    found = shift(held_out, answers)
    told = _BELOW_CHANCE.format(here=found.here.value, chance=found.chance)
    return {"shift": found.to_dict(), "notes": [*notes, told] if found.is_below_chance else notes}
