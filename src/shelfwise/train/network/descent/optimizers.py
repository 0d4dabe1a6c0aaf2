"""Optimizers, and the learning rate that each part of a network gets."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shelfwise.networks.stages import head_of
from shelfwise.train.network.descent.trained_part import TrainedPart
from shelfwise.train.network.settings import Settings


def grouped_parameters(network: nn.Module, part: TrainedPart, settings: Settings) -> list[dict[str, Any]]:
    """Group the weights by learning rate: the head `head_rate` times that of the neck, each stage `stage_rate` of the next.

    Source: Howard & Ruder, ULMFiT (2018), section 3.1, for stages at different rates.
    """
    head = head_of(network)
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if name.startswith(f"{head}."):
            rate = settings.rate * settings.head_rate
        else:
            rate = settings.rate * settings.stage_rate ** max(0, part.body - part.stage_of(name))
        groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]


def new_optimizer(groups: list[dict[str, Any]], settings: Settings) -> torch.optim.Optimizer:
    """Make the optimizer. Source: Zeiler, ADADELTA (2012), rho 0.95; torch's defaults for the rest."""
    decay = settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=decay)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, weight_decay=decay)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=decay)
    return torch.optim.Adadelta(groups, rho=0.95, weight_decay=decay)
