"""The commands: flags in, one call of a verb, its summary out."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.config import Toml

from shelfwise import __version__
from shelfwise.options import DemoOptions, EmbedOptions, EvaluateOptions, PredictOptions, TrainOptions

app = App(
    name="shelfwise",
    help="Put every product photo on the right shelf.",
    version=__version__,
    config=Toml("shelfwise.toml"),
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
ingest = App(name="ingest", help="Turn foreign data into a catalog.", default_parameter=Parameter(negative=()))
app.command(ingest)

_Flat = Parameter(name="*")


def _print_json(value: Mapping[str, Any]) -> int:
    print(json.dumps(value, indent=2, ensure_ascii=False))
    return 0


@ingest.command
def grocery(root: Path, *, to: Path, json: bool = False) -> int:
    """Import the Grocery Store Dataset: photos, tree, official splits, iconic pictures with descriptions.

    Parameters
    ----------
    root:
        The folder that holds `dataset`.
    to:
        The catalog to write, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.ingest import ingest_grocery

    summary = ingest_grocery(root, to, progress=progress.bars())
    return _print_json(summary.to_dict()) if json else summaries.ingested(summary)


@ingest.command
def folder(root: Path, *, to: Path, json: bool = False) -> int:
    """Import a folder of class folders; nested folders become the tree, train / val / test on top the splits.

    Parameters
    ----------
    root:
        The folder.
    to:
        The catalog to write, by convention NAME.catalog.
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.ingest import ingest_folder

    summary = ingest_folder(root, to, progress=progress.bars())
    return _print_json(summary.to_dict()) if json else summaries.ingested(summary)


@app.command
def embed(catalog: Path, options: Annotated[EmbedOptions, _Flat] = EmbedOptions(), *, json: bool = False) -> int:
    """Compute the vectors of a catalog's photos; what is there is not computed again.

    Parameters
    ----------
    catalog:
        The catalog folder.
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.embed import embed

    summary = embed(catalog, options, progress=progress.bars())
    return _print_json(summary.to_dict()) if json else summaries.embedded(summary)


@app.command
def train(
    catalog: Path, *, to: Path, options: Annotated[TrainOptions, _Flat] = TrainOptions(), json: bool = False
) -> int:
    """Learn a bundle from a catalog's vectors, with honest estimates of what it will be worth.

    Parameters
    ----------
    catalog:
        The catalog folder.
    to:
        The bundle to write, by convention NAME.bundle, or NAME.bundle.zip for a single file.
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.train import train

    summary = train(catalog, to, options, progress=progress.bars())
    return _print_json(summary.to_dict()) if json else summaries.trained(summary, catalog)


@app.command
def evaluate(
    bundle: Path,
    catalog: Path,
    *,
    to: Path | None = None,
    options: Annotated[EvaluateOptions, _Flat] = EvaluateOptions(),
    json: bool = False,
) -> int:
    """Answer for a split of a catalog and report how good the answers are.

    Parameters
    ----------
    bundle:
        The bundle to judge.
    catalog:
        The catalog that holds the split.
    to:
        The folder for the report: index.html and metrics.json.
    json:
        Print the figures as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.evaluate import evaluate

    summary = evaluate(bundle, catalog, to, options, progress=progress.bars())
    return _print_json(summary.to_dict()) if json else summaries.evaluated(summary)


@app.command
def predict(
    bundle: Path,
    *photos: Path,
    options: Annotated[PredictOptions, _Flat] = PredictOptions(),
    json: bool = False,
    csv: Path | None = None,
) -> int:
    """File photos: the likeliest shelves of each, with probabilities.

    Parameters
    ----------
    bundle:
        The bundle to ask.
    photos:
        Photos, or folders of them.
    json:
        Print the answers as JSON.
    csv:
        Write the answers to this file, a row a photo.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.errors import OptionError
    from shelfwise.predict import predict, to_csv

    if not photos:
        raise OptionError("name at least one photo or folder")
    predictions = list(predict(bundle, photos, options, progress=progress.bars()))
    if csv is not None:
        from shelfwise.files import write_bytes

        write_bytes(csv, to_csv(predictions).encode())
    if json:
        return _print_json({"predictions": [prediction.to_dict() for prediction in predictions]})
    return summaries.predicted(predictions, csv)


@app.command
def demo(options: Annotated[DemoOptions, _Flat] = DemoOptions(), *, json: bool = False) -> int:
    """Walk from drawn photos with planted faults to an evaluated bundle, in about a minute, without a network.

    Parameters
    ----------
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.demo import demo

    summary = demo(options, progress=progress.bars(), say=lambda line: print(line, file=sys.stderr))
    return _print_json(summary.to_dict()) if json else summaries.demonstrated(summary)
