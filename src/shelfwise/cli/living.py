"""Commands for a catalog that lives: update a bundle, change the taxonomy of a catalog or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

from shelfwise.cli.app import FLAGS, FLAT, app, print_json
from shelfwise.errors import OptionError
from shelfwise.options import UpdateOptions

if TYPE_CHECKING:
    from shelfwise.reshelve import ReshelveSummary

taxonomy = App(
    name="taxonomy",
    help="Change the category tree of a catalog or a bundle; a category is an id, or names from the top: 'Fruit > Apple'.",
    default_parameter=FLAGS,
)
app.command(taxonomy)


@app.command
def update(
    bundle: Path,
    catalog: Path,
    *,
    to: Path | None = None,
    options: Annotated[UpdateOptions, FLAT] = UpdateOptions(),
    json: bool = False,
) -> int:
    """Teach a bundle products of a catalog, or let it forget some, without learning anew.

    Parameters
    ----------
    bundle:
        The bundle to change.
    catalog:
        The catalog that holds the products' vectors.
    to:
        Write the changed bundle here; default: in the place of the old one.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import living_summaries, progress
    from shelfwise.update import update

    summary = update(bundle, catalog, options, to, progress=progress.bars())
    return print_json(summary.to_dict()) if json else living_summaries.updated(summary, catalog)


@taxonomy.command
def rename(target: Path, node: str, name: str, *, json: bool = False) -> int:
    """Give a category another name; its id stays.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    node:
        The category.
    name:
        Its new name.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    return _told(reshelve.rename(target, node, name, progress=progress.bars()), json)


@taxonomy.command
def move(target: Path, node: str, parent: str | None = None, *, top: bool = False, json: bool = False) -> int:
    """Put a category, with all below it, under another one.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    node:
        The category.
    parent:
        The category to put it under.
    top:
        Put it at the top instead.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    if top == (parent is not None):
        raise OptionError("name the category to put it under, or give --top")
    return _told(reshelve.move(target, node, parent, progress=progress.bars()), json)


@taxonomy.command
def merge(target: Path, node: str, into: str, *, json: bool = False) -> int:
    """Let the products of a category, and the categories below it, be those of another one.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    node:
        The category that goes.
    into:
        The category that stays.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    return _told(reshelve.merge(target, node, into, progress=progress.bars()), json)


@taxonomy.command
def split(target: Path, node: str, *, products: Path, catalog: Path | None = None, json: bool = False) -> int:
    """Put products of a category on other shelves, new ones or old; nothing else changes.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    node:
        The category to split; it goes when no product stays on it.
    products:
        A CSV file with the columns product_id and category: an id, names from the top, or the name of a new shelf beside it.
    catalog:
        For a bundle: the catalog that holds the products' vectors.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    return _told(reshelve.split(target, node, products, catalog, progress=progress.bars()), json)


@taxonomy.command
def add(target: Path, name: str, *, under: str | None = None, id: str | None = None, json: bool = False) -> int:  # noqa: A002
    """Add an empty category.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    name:
        Its name.
    under:
        The category to put it under; default: the top.
    id:
        Its id; default: that of the category above, a stroke and its name.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    return _told(reshelve.add(target, name, under, id, progress=progress.bars()), json)


@taxonomy.command
def remove(
    target: Path, node: str, *, products_to: str | None = None, catalog: Path | None = None, json: bool = False
) -> int:
    """Remove a category that has none below it.

    Parameters
    ----------
    target:
        A catalog folder, a bundle folder or a bundle .zip.
    node:
        The category.
    products_to:
        The category that its products go to.
    catalog:
        For a bundle: forget the products, whose vectors this catalog holds.
    json:
        Print the counts as JSON.
    """
    from shelfwise import reshelve
    from shelfwise.cli import progress

    return _told(reshelve.remove(target, node, products_to, catalog, progress=progress.bars()), json)


def _told(summary: ReshelveSummary, as_json: bool) -> int:
    from shelfwise.cli import living_summaries

    return print_json(summary.to_dict()) if as_json else living_summaries.reshelved(summary)
