"""Who answers, as the template shows it: members of an ensemble, specialists along the tree, ways that were compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfwise.taxonomy import Taxonomy

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Voice:
    """A member: its weight, what it is worth alone, and how much log-loss it saves the others."""

    name: str
    weight: float
    top1: float
    log_loss: float
    saves: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Categories that share a specialist, or why they have none."""

    name: str
    categories: int
    products: int
    answered_by: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way along the tree with its figures on held-out products; levels from the deepest up."""

    name: str
    is_kept: bool
    levels: tuple[float, ...]
    log_loss: float
    numbers: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tree:
    """How one member goes along the tree."""

    member: str
    hierarchy: str
    level_names: tuple[str, ...]
    ways: tuple[Way, ...]
    groups: tuple[Group, ...]


def voices(facts: Mapping[str, Any]) -> list[Voice]:
    """List the members of an ensemble and those that were left away, the weightiest first; empty for a single member."""
    ensemble = facts.get("ensemble")
    if ensemble is None:
        return []
    told = [(member["name"], member["contribution"]) for member in facts["members"]]
    told += [(member["name"], member) for member in ensemble["left_away"]]
    found = [_voice(name, contribution, ensemble["log_loss"]) for name, contribution in told]
    return sorted(found, key=lambda voice: -voice.weight)


def how_weighed(facts: Mapping[str, Any]) -> str:
    """Say on which products the weights of an ensemble were chosen; nothing for a single member."""
    held_out_by = facts.get("ensemble", {}).get("held_out_by")
    if held_out_by is None:
        return ""
    who, where = (
        ("bundles", "the validation split, which none of them learned from")
        if held_out_by == "validation"
        else ("heads", "the training split whose look-alikes were left out with them")
    )
    return f"Several {who} answer together. Their weights, and these figures, are of products of {where}."


def _voice(name: str, told: Mapping[str, float], log_loss: float) -> Voice:
    others = told.get("log_loss_of_others")
    saves = None if others is None else others - log_loss
    return Voice(name, told["weight"], told["top1"], told["log_loss"], saves)


def trees(facts: Mapping[str, Any], taxonomy: Taxonomy) -> list[Tree]:
    """List the members that go along the tree in another way than by one head, or for which ways were compared."""
    return [
        _tree(member, taxonomy) for member in facts.get("members", []) if member.get("groups") or member.get("compared")
    ]


def _tree(member: Mapping[str, Any], taxonomy: Taxonomy) -> Tree:
    kept, compared = member["hierarchy"], member.get("compared", {})
    ways = [
        Way(name, name == kept, tuple(reversed(w["levels"].values())), w["log_loss"], w["numbers"], w["seconds"])
        for name, w in compared.items()
    ]
    groups = [_group(group, taxonomy) for group in member.get("groups", [])]
    return Tree(member["name"], kept, tuple(reversed(taxonomy.level_names)), tuple(ways), tuple(groups))


def _group(group: Mapping[str, Any], taxonomy: Taxonomy) -> Group:
    """Name a group by its branches, or by its categories where it was made of those, as far as the tree still has them."""
    categories = group["categories"]
    nodes = group["branches"] if isinstance(categories, int) else categories
    names = [taxonomy.names(node)[-1] for node in nodes if node in taxonomy.nodes]
    shown = ", ".join(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown += f" and {len(names) - _SHOWN} more"
    if "band" in group:
        shown = f"{group['band']}: {shown}"
    count = categories if isinstance(categories, int) else len(categories)
    by = "a specialist" if group["specialist"] else f"the head for all: {group['why_none']}"
    return Group(shown, count, group["products"], by)
