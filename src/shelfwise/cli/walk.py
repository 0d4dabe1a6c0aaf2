"""The walk: embed, train, evaluate, predict, demo. Flags in, one call of a verb, its summary out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from shelfwise.cli.app import FLAT, app, print_json
from shelfwise.cli.foreign import visible
from shelfwise.options import DemoOptions, EmbedOptions, EvaluateOptions, NetworkOptions, PredictOptions, TrainOptions


@app.command
def embed(catalog: Path, options: Annotated[EmbedOptions, FLAT] = EmbedOptions(), *, json: bool = False) -> int:
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
    return print_json(summary.to_dict()) if json else summaries.embedded(summary)


@app.command
def train(
    catalog: Path,
    *,
    to: Path,
    options: Annotated[TrainOptions, FLAT] = TrainOptions(),
    how: Annotated[NetworkOptions, FLAT] = NetworkOptions(),
    json: bool = False,
) -> int:
    """Learn a bundle from a catalog's vectors, or a network from its photos, with honest estimates of what it will be worth.

    Parameters
    ----------
    catalog:
        The catalog folder.
    to:
        The bundle to write, by convention NAME.bundle, or NAME.bundle.zip for a single file.
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import learning_summaries, progress
    from shelfwise.train import train

    summary = train(
        catalog, to, options, how, progress=progress.bars(), say=lambda line: print(visible(line), file=sys.stderr)
    )
    if (
        options.network and os.environ.get("RANK", "0") != "0"
    ):  # of the processes that torchrun starts the first one tells
        return 0
    return print_json(summary.to_dict()) if json else learning_summaries.trained(summary, catalog)


@app.command
def evaluate(
    bundle: Path,
    catalog: Path,
    *,
    to: Path | None = None,
    options: Annotated[EvaluateOptions, FLAT] = EvaluateOptions(),
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
    from shelfwise.cli import evaluating_summaries, progress
    from shelfwise.evaluate import evaluate

    summary = evaluate(bundle, catalog, to, options, progress=progress.bars())
    return print_json(summary.to_dict()) if json else evaluating_summaries.evaluated(summary)


@app.command
def predict(
    bundle: Path,
    *photos: Path,
    options: Annotated[PredictOptions, FLAT] = PredictOptions(),
    json: bool = False,
    csv: Path | None = None,
    submission: Path | None = None,
) -> int:
    """File photos: the likeliest shelves of each, with probabilities.

    Parameters
    ----------
    bundle:
        The bundle to ask.
    photos:
        Photos, or folders of them; with --submission a catalog.
    json:
        Print the answers as JSON.
    csv:
        Write the answers to this file, a row a photo.
    submission:
        Answer for the products of a catalog and write _id,category_id to this file, a row a product, as contests want it.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.errors import OptionError
    from shelfwise.predict import predict, to_csv

    if submission is not None:
        return _submit(bundle, photos, submission, options, json)
    if options.split is not None:
        raise OptionError(f"--split {options.split} is for --submission, which answers for a catalog")
    if not photos:
        raise OptionError("name at least one photo or folder")
    predictions = list(predict(bundle, photos, options, progress=progress.bars()))
    if csv is not None:
        from shelfwise.files import write_bytes

        write_bytes(csv, to_csv(predictions).encode())
    if json:
        promise = next((prediction.sure.threshold.to_dict() for prediction in predictions if prediction.sure), None)
        told = {"predictions": [prediction.to_dict() for prediction in predictions]}
        return print_json(told | ({"certainty": promise} if promise else {}))
    return summaries.predicted(predictions, csv)


def _submit(bundle: Path, catalogs: tuple[Path, ...], to: Path, options: PredictOptions, json: bool) -> int:
    from shelfwise.cli import progress, summaries
    from shelfwise.errors import OptionError
    from shelfwise.predict.submission import submit

    if len(catalogs) != 1:
        raise OptionError("--submission answers for one catalog: name it behind the bundle")
    summary = submit(bundle, catalogs[0], to, options.split, progress=progress.bars())
    return print_json(summary.to_dict()) if json else summaries.submitted(summary)


@app.command
def demo(options: Annotated[DemoOptions, FLAT] = DemoOptions(), *, json: bool = False) -> int:
    """Walk from drawn photos with planted faults to an evaluated bundle, in about a minute, without a network.

    Parameters
    ----------
    json:
        Print the summary as JSON.
    """
    from shelfwise.cli import progress, summaries
    from shelfwise.demo import demo

    summary = demo(options, progress=progress.bars(), say=lambda line: print(line, file=sys.stderr))
    return print_json(summary.to_dict()) if json else summaries.demonstrated(summary)
