"""What an audit proposes: set repeats and placeholders aside, move products to better shelves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shelfwise.audit.findings import Found
from shelfwise.audit.table import Row, rows
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.corrections.plan import Proposal

_REPEATS, _PLACEHOLDERS, _MOVES = (
    ("exact_repeat", "near_repeat", "useful_repeat"),
    ("placeholder", "blank"),
    ("wrong_shelf", "several_categories"),
)


def proposals(catalog: Catalog, inventory: Inventory, found: Mapping[str, Found]) -> Iterator[Proposal]:
    """Propose corrections, one a photo or product.

    What is sure says `yes`: repeats of what stays, placeholders, blank pictures. A move to another shelf is left undecided:
    it needs a look.
    """
    seen: set[str] = set()
    for kind in (*_REPEATS, *_PLACEHOLDERS, *_MOVES):
        for row in rows(catalog, inventory, found[kind]) if kind in found else ():
            proposal = _move(row) if kind in _MOVES else _set_aside(row)
            subject = proposal and (proposal.image_id or proposal.product_id)
            if proposal and subject not in seen:
                seen.add(str(subject))
                yield proposal


def _set_aside(row: Row) -> Proposal | None:
    if row.kind in _REPEATS and row.kept is None:
        return None
    reason = {
        "placeholder": "shows no product: the same picture is on many shelves",
        "blank": "is blank",
    }.get(row.kind) or ("the product shows it already" if row.kept == row.product_id else f"repeats {row.kept}")
    return Proposal(
        action="set_aside", kind=row.kind, product_id=row.product_id, image_id=row.image_id, category=row.shelf,
        score=row.score, reason=reason, apply="yes",
    )  # fmt: skip


def _move(row: Row) -> Proposal | None:
    if row.suggested is None:
        return None
    reason = "looks like that shelf" if row.kind == "wrong_shelf" else "the same picture stands there more often"
    return Proposal(
        action="move", kind=row.kind, product_id=row.product_id, category=row.shelf, to=row.suggested, score=row.score,
        reason=reason,
    )  # fmt: skip
