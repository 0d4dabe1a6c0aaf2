"""Findings in words: what a kind means, what to do about it, how its score is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shelfwise.audit.findings import KINDS
from shelfwise.page.numbers import counted, percent, plural

if TYPE_CHECKING:
    from shelfwise.audit.page.data import AuditPage, KindShown


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind means, and what to do about it."""

    meaning: str
    deed: str


WORDS = {
    "exact_repeat": Words(
        "Products that show the same picture, byte for byte, on the same shelf.",
        "Keep one, set the others aside: they count twice in learning and in every figure.",
    ),
    "near_repeat": Words(
        "Pictures that differ only in how they were saved: another quality, another size, another format.",
        "Keep the largest, set the others aside.",
    ),
    "listed_twice": Words(
        "Products whose every picture is one of another product's, on the same shelf.",
        "Keep one listing, set the others aside: they count twice in learning and in every figure.",
    ),
    "useful_repeat": Words(
        "A picture that many products of one category share, such as a drawing of how to attach a cover.",
        "Nothing: it tells the category. Listed so that nobody takes it for a placeholder.",
    ),
    "placeholder": Words(
        "A picture that stands on more shelves than chance explains: a logo, a question mark, “image not available”.",
        "Set the photo aside: what is learned from it is wrong everywhere.",
    ),
    "blank": Words("Pictures of one color, or nearly so.", "Set the photo aside, and ask for a real one."),
    "several_categories": Words(
        "The same picture on different shelves: at most one of them is right.",
        "Decide which shelf is right, and move the others there.",
    ),
    "across_splits": Words(
        "The same product or picture both where is learned and where is tested: the test asks what was told before.",
        "Split again, with look-alikes together, or leave these out of the test.",
    ),
    "group_differs": Words(
        "Listings that are said to be the same product, with pictures that look nothing alike.",
        "Look at them: the group may be wrong, or a photo.",
    ),
    "blurred": Words(
        "No sharp edge anywhere in the photo.", "Ask for a sharper photo; set aside what cannot be recognized."
    ),
    "dark": Words("Even the lightest part of the photo is dark.", "Brighten or replace."),
    "bright": Words("Even the darkest part of the photo is light.", "Replace, unless the product is white."),
    "low_information": Words("So few different tones that hardly anything can be told from them.", "Replace."),
    "odd_aspect": Words(
        "Much longer than wide, or much wider than long: squeezed when made square.", "Crop to the product."
    ),
    "tiny": Words("So few pixels that a network sees mush.", "Replace by a larger one."),
    "framed": Words("Bands of one color, or a border, around the picture.", "Crop to the picture inside."),
    "wrong_shelf": Words(
        "Products that look more at home on another shelf than on their own.",
        "Go through them with shelfwise review: accept, reject, or choose another shelf.",
    ),
}
_ID = 26
HARMLESS = frozenset({"useful_repeat"})
QUALITY = ("blurred", "dark", "bright", "low_information", "odd_aspect", "tiny", "framed")
REPEATS = (
    "exact_repeat", "near_repeat", "listed_twice", "useful_repeat", "placeholder", "blank", "several_categories", "group_differs",
)  # fmt: skip


def title(kind: str) -> str:
    """Return the heading of a kind."""
    return KINDS[kind]


def sure(probability: float) -> str:
    """Write a probability without claiming certainty that is not there."""
    if probability > 0.995:
        return "over 99\u202f%"
    return "under 1\u202f%" if probability < 0.005 else percent(probability, 0)


def apart(distance: int) -> str:
    """Say how far two shelves are from each other, in edges of the tree."""
    return {0: "the same shelf", 1: "right above or below it", 2: "a sibling shelf"}.get(
        distance, f"{distance} steps away"
    )


def short_id(product_id: str) -> str:
    """Shorten a long id to its end, where ids that are paths differ."""
    return product_id if len(product_id) <= _ID else f"…{product_id[-_ID + 1 :]}"


def words(kind: str) -> Words:
    """Return what a kind means and what to do about it."""
    return WORDS.get(kind, Words("", ""))


def verdict(page: AuditPage) -> str:
    """Say in one sentence what the audit found."""
    found = {kind.kind: kind for kind in page.kinds if kind.kind not in HARMLESS}
    said = [
        f"{counted(getattr(found[kind], unit))} {one if getattr(found[kind], unit) == 1 else several}"
        for kind, unit, one, several in _SAID
        if kind in found
    ]
    poor = sum(found[kind].photos for kind in QUALITY if kind in found)
    said += [f"{counted(poor)} {'photo' if poor == 1 else 'photos'} of poor quality"] if poor else []
    if not said:
        return "Nothing was found that needs putting right."
    return f"The audit found {_listed(said)}."


# What the sentence counts of each kind, and how it says it.
_SAID = (
    ("exact_repeat", "sets", "picture listed more than once", "pictures listed more than once"),
    ("near_repeat", "sets", "picture saved again", "pictures saved again"),
    ("placeholder", "sets", "placeholder", "placeholders"),
    ("several_categories", "sets", "picture on several shelves", "pictures on several shelves"),
    ("across_splits", "sets", "leak between splits", "leaks between splits"),
    ("wrong_shelf", "products", "product that may be on the wrong shelf", "products that may be on the wrong shelf"),
)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def weight(kind: KindShown) -> str:
    """Say how much of a kind was found: sets where findings come in sets, photos or products where they stand alone."""
    if kind.sets == kind.products or kind.kind in QUALITY:
        return plural(kind.photos, "photo") if kind.photos else plural(kind.products, "product")
    return f"{plural(kind.sets, 'set')}, {plural(kind.products, 'product')}"


def score_said(kind: str, score: float) -> str:
    """Say a finding's score, where it tells more than its kind."""
    if kind == "tiny":
        return f"{score:.0f} pixels"
    if kind in QUALITY:
        return f"score {score:.2f}"
    if kind == "near_repeat":
        return f"{64 * (1 - score):.0f} of 64 bits differ"
    if kind == "across_splits":
        return "surely the same" if score == 1 else "likely the same"
    return ""
