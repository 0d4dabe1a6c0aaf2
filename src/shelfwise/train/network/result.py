"""A trained network as a bundle: an ONNX graph up to the vectors, a linear head, calibrated on held-out products."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnxruntime as ort
import safetensors.torch
from numpy.typing import NDArray
from torch import nn

from shelfwise.backbones.cards import TRAINED_HERE, BackboneCard, BackboneSpec
from shelfwise.backbones.features import FeatureLayout
from shelfwise.bundle import Bundle
from shelfwise.bundle.answers_table import answers_to_parquet
from shelfwise.bundle.members import NETWORK_WEIGHTS, PRODUCT_IDS, content_of
from shelfwise.bundle.product_ids import product_ids_to_parquet
from shelfwise.classifiers.classifier import Classifier
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.networks.export import to_onnx
from shelfwise.networks.find import Blueprint
from shelfwise.networks.stages import Vectors, classifier_of
from shelfwise.train.calibrate import cross_calibrated
from shelfwise.train.golden import golden_pictures
from shelfwise.train.network.inputs.photos import Photos
from shelfwise.train.network.judging.held_out import SCORES
from shelfwise.train.network.settings import Settings


def card_of(blueprint: Blueprint, settings: Settings, graph: bytes, name: str) -> BackboneCard:
    """Describe an exported network; its vectors are taken as they are, since its own layer looks at them."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    width = session.get_outputs()[0].shape[-1]
    return BackboneCard(
        name=name, title=f"{blueprint.title}{TRAINED_HERE}", source="file", file=f"{name}.onnx",
        sha256=hashlib.sha256(graph).hexdigest(), license=blueprint.license, side_px=settings.sides_px[-1], widths=(int(width),),
        mean=tuple(blueprint.mean), std=tuple(blueprint.std), fit=settings.fit, output="vector", pool="none",
        unit_length=False,
    )  # fmt: skip


def head_of(network: nn.Module) -> Linear:
    """Return the last layer."""
    layer = classifier_of(network)[1]
    weight = layer.weight.detach().cpu().numpy().T.astype(np.float32)
    bias = np.zeros(weight.shape[1], np.float32) if layer.bias is None else layer.bias.detach().cpu().numpy()
    return Linear(np.ascontiguousarray(weight), bias.astype(np.float32))


def bundle_of(
    network: nn.Module, blueprint: Blueprint, settings: Settings, columns: Columns, learned: Photos, held: Photos,
    told: NDArray[np.float32], name: str, facts: dict[str, Any],
) -> Bundle:  # fmt: skip
    """Put a bundle together; told: log-probabilities (p, c) of the held-out products."""
    graph = to_onnx(Vectors(network), settings.sides_px[-1], "vector")
    card = card_of(blueprint, settings, graph, name)
    each = np.arange(len(told))
    crossed = cross_calibrated(told, held.column, columns, each, each)
    ids = held.product_ids.astype(np.str_)
    answers = Answers.from_probabilities(ids, held.column, crossed.apply(told, columns, each), columns)
    classifier = Classifier((Member(blueprint.name, Flat(head_of(network), 1.0), SCORES),), (1.0,), crossed.calibration)
    figures = {facts["calibrated_on"]: score(answers, resamples=0).to_dict()}
    bundle = Bundle(
        layout=FeatureLayout((BackboneSpec(card, settings.sides_px[-1], 0),)), columns=columns, classifier=classifier,
        facts=facts | {"estimates": figures, "calibration": crossed.calibration.stored()},
        weights={name: graph}, held_out_table=answers_to_parquet(answers),
        left_out_table=answers_to_parquet(answers.take(np.zeros(len(answers), np.bool_))),
        kept={
            PRODUCT_IDS: content_of(product_ids_to_parquet(learned.product_ids)),
            NETWORK_WEIGHTS: content_of(safetensors.torch.save({k: v.contiguous() for k, v in network.state_dict().items()})),
        },
    )  # fmt: skip
    return bundle.with_golden(golden_pictures())
