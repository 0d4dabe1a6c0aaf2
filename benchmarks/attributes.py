"""Attributes of street-fashion photos: frozen vectors with a ridge or a logistic head against networks that are fine-tuned.

All learn on the 1,000 training photos and choose what there is to choose (penalty, threshold, epoch) inside of them: the heads by
photos left out, the networks by the tenth that they hold apart. Each is asked about the 300 validation photos once. Micro-F1 with
one threshold; intervals by bootstrap over photos; differences on the same resamples.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

import harness
from shelfwise.backbones.cards import find_card
from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.images.preprocess import Preprocessing, prepare
from shelfwise.ingest import ingest
from shelfwise.ingest.table import TableSource
from shelfwise.metrics.attributes import best_threshold, micro_f1
from shelfwise.metrics.intervals import percentile_interval
from shelfwise.options import NetworkOptions, TableOptions, TrainOptions
from shelfwise.train import train
from shelfwise.train.network.inputs.photos import Photos, held_apart
from shelfwise.train.network.judging.attributes import attribute_names, read_labeled_photos

HERE = Path(__file__).parent
FOLDS, RESAMPLES = 5, 2000
PENALTIES = np.geomspace(0.1, 1000, 17)
Numbers = NDArray[np.floating[Any]]
Labels = NDArray[np.bool_]
Names = tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """Scores: left_out (k, l) of the training photos `rows`, by heads that did not see them; asked (n, l) of the others."""

    rows: NDArray[np.integer[Any]]
    left_out: Numbers
    asked: Numbers
    facts: dict[str, float]


def catalog_at(path: Path) -> Catalog:
    """The photos with their tags, embedded by default."""
    if not path.exists():
        columns = TableOptions(id="image", image=("image",), attributes="tags", split="split", incomplete=True)
        ingest(TableSource(harness.DATA / "ccp" / "tags.csv", columns), path)
    if not Catalog(path).description.embedded:
        embed(path)
    return Catalog(path)


def vectors_and_labels(catalog: Catalog, split: str, names: Names) -> tuple[Numbers, Labels]:
    layout, photos = embedded_layout(catalog), read_labeled_photos(catalog, [split], names)
    raw = []
    for spec in layout.specs:
        place = {digest: row for row, digest in enumerate(catalog.embedded_pictures(spec.key).to_pylist())}
        raw.append(catalog.embedding_rows(spec.key, np.array([place[digest] for digest in photos.sha256])))
    return layout.features(raw).astype(np.float64), photos.column[photos.product]


def in_coordinates(x: Numbers, asked: Numbers) -> tuple[Numbers, Numbers]:
    """Turn centered vectors into as many coordinates as there are rows: heads with a squared penalty see no difference."""
    mean = x.mean(axis=0)
    u, s, v = np.linalg.svd(x - mean, full_matrices=False)
    return u * s, (asked - mean) @ v.T


def ridge(x: Numbers, y: Labels, asked: Numbers) -> Told:
    """Penalty by the left-out squared error, in closed form."""
    z, z_asked = in_coordinates(x, asked)
    s2, targets = (z**2).sum(axis=0), y - y.mean(axis=0)
    u = z / np.sqrt(np.maximum(s2, 1e-12))

    def left_out(penalty: float) -> Numbers:
        kept = s2 / (s2 + penalty)
        lever = 1 / len(z) + (u**2 * kept).sum(axis=1)
        return y - (targets - u @ (kept[:, None] * (u.T @ targets))) / (1 - lever)[:, None]

    penalty = min(PENALTIES, key=lambda each: float(((y - left_out(each)) ** 2).mean()))
    head = (z / (s2 + penalty)).T @ targets
    return Told(np.arange(len(y)), left_out(penalty), z_asked @ head + y.mean(axis=0), {"penalty": float(penalty)})


def logistic(x: Numbers, y: Labels, asked: Numbers) -> Told:
    """Penalty by the log-loss of five folds."""
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    z, z_asked = in_coordinates(x, asked)
    crossed: dict[float, Numbers] = {}
    for penalty in (0.3, 1.0, 3.0, 10.0):
        crossed[penalty] = np.empty(y.shape)
        for part in range(FOLDS):
            crossed[penalty][fold == part] = _logistic(z[fold != part], y[fold != part], penalty, z[fold == part])
    penalty = min(crossed, key=lambda each: _log_loss(crossed[each], y))
    return Told(np.arange(len(y)), crossed[penalty], _logistic(z, y, penalty, z_asked), {"penalty": penalty})


def _logistic(z: Numbers, y: Labels, penalty: float, z_asked: Numbers) -> Numbers:
    """Learn all attributes at once by L-BFGS; the penalty is that of the sum over photos, halved."""
    from scipy.optimize import minimize
    from scipy.special import expit

    n, d, c = len(z), z.shape[1], y.shape[1]
    begin = np.zeros((d + 1, c))
    begin[-1] = np.log((y.sum(axis=0) + 0.5) / (n - y.sum(axis=0) + 0.5))

    def loss(flat: Numbers) -> tuple[float, Numbers]:
        w = flat.reshape(d + 1, c)
        scores = z @ w[:-1] + w[-1]
        wrong = expit(scores) - y
        value = np.logaddexp(0, scores).sum() - scores[y].sum() + penalty / 2 * (w[:-1] ** 2).sum()
        return float(value), np.concatenate([z.T @ wrong + penalty * w[:-1], wrong.sum(axis=0)[None]]).ravel()

    learned = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x.reshape(d + 1, c)
    return np.asarray(expit(z_asked @ learned[:-1] + learned[-1]))


def _log_loss(told: Numbers, y: Labels) -> float:
    return float(-np.log(np.clip(np.where(y, told, 1 - told), 1e-7, 1)).mean())


def tuned(catalog: Catalog, to: Path, options: TrainOptions, how: NetworkOptions, names: Names) -> Told:
    """Fine-tune by the verb, where this was not done already, then ask the written graph alone."""
    if not to.exists():
        train(catalog.path, to, options, how, say=print)
    told = json.loads({entry.key: entry.value for entry in onnx.load(to).metadata_props}["shelfwise.attributes"])
    card, session = find_card(str(to)), ort.InferenceSession(to.read_bytes())
    known = [names.index(name) for name in told["names"]]  # a network knows the attributes of its training photos only
    learned = read_labeled_photos(catalog, ["train"], names)
    held = held_apart(learned)[1]

    def scores(photos: Photos) -> Numbers:
        probabilities = np.zeros((len(photos), len(names)))
        for row in range(len(photos)):
            pixels = prepare(photos.pictures(np.array([row]))[0], Preprocessing(card.side_px, card.fit))
            inputs = ((pixels / 255 - card.mean) / card.std).transpose(2, 0, 1)[None].astype(np.float32)
            probabilities[row, known] = session.run(["attributes"], {"photos": inputs})[0][0]
        return probabilities

    rows = np.flatnonzero(np.isin(learned.product_ids, held.product_ids))
    return Told(rows, scores(held), scores(read_labeled_photos(catalog, ["validation"], names)), {})


def mean_of(*sides: Told) -> Told:
    """The mean of sides, judged in training by the photos that none learned from."""
    rows = sides[-1].rows
    left_out = [side.left_out[np.isin(side.rows, rows)] for side in sides]
    return Told(rows, np.mean(left_out, axis=0), np.mean([side.asked for side in sides], axis=0), {})


def resampled(answered: Labels, labels: Labels) -> Numbers:
    """Micro-F1 of resampled photos, the same ones for every side."""
    rng = np.random.default_rng(0)
    right, told = (answered & labels).sum(axis=1), answered.sum(axis=1) + labels.sum(axis=1)
    rows = rng.integers(0, len(labels), (RESAMPLES, len(labels)))
    return np.asarray(2 * right[rows].sum(axis=1) / told[rows].sum(axis=1))


def page(sides: dict[str, dict[str, Any]], on: dict[str, Any]) -> str:
    lines = [
        "| side | micro-F1 on 300 photos (95 %) | over ridge (95 %) | seconds | chosen inside the training photos |",
        "|---|---|---|---|---|",
    ]
    for name, side in sides.items():
        chosen = ", ".join(f"{what} {value:.4g}" for what, value in side["facts"].items())
        value, over = (" - ".join(f"{each:+.3f}" for each in side[key]) for key in ("interval", "over_interval"))
        figures = f"{side['value']:.3f} ({value.replace('+', '')}) | {side['over']:+.3f} ({over})"
        lines.append(f"| {name} | {figures} | {side['seconds']:.0f} | {chosen} |")
    told = f"{on['cpu']}, {on['cores']} cores, load before {on['load_before']}"
    return "\n".join(["# Attributes of street-fashion photos", "", (__doc__ or "").strip(), "", *lines, "", told, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalog", type=Path, default=HERE / "data" / "ccp.catalog")
    parser.add_argument("--tuned", type=Path, default=HERE / "data", help="where the networks lie, learned if absent")
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="one view, two epochs: says whether the script works")
    asked = parser.parse_args()
    on, catalog = harness.machine(), catalog_at(asked.catalog)
    names = attribute_names(catalog, ["train", "validation"])
    x, y = vectors_and_labels(catalog, "train", names)
    x_asked, labels = vectors_and_labels(catalog, "validation", names)
    views, epochs = (1, 2) if asked.quick else (asked.views, asked.epochs)
    told: dict[str, Told] = {}

    def fine_tuned(network: str, side: str) -> Told:
        how = NetworkOptions(
            learn="attributes", finetune=True, side=side, views=views, augment="crop=0.8+flip=0.5", log="none"
        )
        to = asked.tuned / f"ccp-{network}-{side}{'-quick' if asked.quick else ''}.onnx"
        return tuned(catalog, to, TrainOptions(network=network, epochs=epochs), how, names)

    runs: dict[str, Callable[[], Told]] = {
        "ridge": lambda: ridge(x, y, x_asked),
        "logistic": lambda: logistic(x, y, x_asked),
        "fine-tuned lite0@256": lambda: fine_tuned("lite0", "256"),
        "fine-tuned lite2@340": lambda: fine_tuned("lite2", "340"),
        "mean of ridge and lite0@256": lambda: mean_of(told["ridge"], told["fine-tuned lite0@256"]),
        "mean of ridge and lite2@340": lambda: mean_of(told["ridge"], told["fine-tuned lite2@340"]),
        "mean of the three": lambda: mean_of(*(told[k] for k in ("ridge", *(n for n in told if n.startswith("fine"))))),
    }
    sides: dict[str, dict[str, Any]] = {}
    drawn: dict[str, Numbers] = {}
    for name, run in runs.items():
        started = time.perf_counter()
        told[name] = run()
        threshold = best_threshold(told[name].left_out, y[told[name].rows])
        answered, facts = told[name].asked >= threshold, told[name].facts | {"threshold": threshold}
        value, drawn[name] = micro_f1(answered, labels), resampled(answered, labels)
        sides[name] = {
            "value": value, "interval": percentile_interval(drawn[name]), "facts": facts,
            "over": value - sides["ridge"]["value"] if sides else 0.0,
            "over_interval": percentile_interval(drawn[name] - drawn["ridge"]), "seconds": time.perf_counter() - started,
        }  # fmt: skip
        print(name, json.dumps(sides[name]))
    stem = harness.RESULTS / ("attributes-quick" if asked.quick else "attributes")
    stem.with_suffix(".json").write_text(json.dumps({"machine": on, "sides": sides}, indent=1) + "\n")
    stem.with_suffix(".md").write_text(page(sides, on))
    print(page(sides, on))


if __name__ == "__main__":
    main()
