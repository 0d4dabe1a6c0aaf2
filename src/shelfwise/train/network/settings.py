"""Everything that decides what a network learns, as plain values: what a checkpoint is compared with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shelfwise.images.preprocess import Fit
from shelfwise.networks.find import Blueprint
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train.network.inputs.augment import Change, parse_changes

_RATES = {"adamw": 5e-4, "adam": 5e-4, "sgd": 1e-2, "adadelta": 1.0}
"""Learning rates to start from. Source: docs/experiments.md, fine-tuning, for adamw; the customary ones for the others."""
_DECAYS = {"adamw": 0.01, "adam": 0.0, "sgd": 1e-4, "adadelta": 0.0}
"""Weight decay. Source: Loshchilov & Hutter, Decoupled Weight Decay (2019), on Adam; He et al. (2016) for sgd; R4 has none."""
_EPOCHS = 12
_HEAD_TIMES = 10.0
_FINETUNED_STAGES = "2"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a network learns; see NetworkOptions for what the fields mean.

    rate: learning rate of the body; sides_px: one after the other; changes: of every photo, at random; start_sha256: of all
    weights that it starts with.
    """

    network: str
    learn: str
    start: str
    finetune: bool
    tune: str
    gradual: int
    stage_rate: float
    head_rate: float
    freezes_batch_norm: bool
    sides_px: tuple[int, ...]
    fit: Fit
    changes: tuple[Change, ...]
    views: int
    mixup: float
    cutmix: float
    class_weights: str
    sampling: str
    optimizer: str
    rate: float
    dropout: float
    epochs: int
    schedule: str
    cycle_epochs: int
    cycle_times: int
    patience: int
    plateau_times: float
    least_rate: float
    early_stopping: int
    batch: int
    weight_decay: float
    momentum: float
    label_smoothing: float
    ema: float
    clip_norm: float
    bf16: bool
    seed: int
    start_sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)


def settle(options: TrainOptions, how: NetworkOptions, blueprint: Blueprint) -> Settings:
    """Fill in what the options leave open."""
    start = how.start or ("random" if blueprint.fetch is None else "pretrained")
    begun = start != "random"
    head_rate = how.head_rate if how.head_rate is not None else (_HEAD_TIMES if begun else 1.0)
    return Settings(
        network=blueprint.name,
        learn=how.learn,
        start=start,
        finetune=how.finetune,
        tune=how.tune or (_FINETUNED_STAGES if how.finetune else "all"),
        gradual=how.gradual,
        stage_rate=how.stage_rate,
        head_rate=head_rate,
        freezes_batch_norm=begun if how.batch_norm is None else how.batch_norm == "frozen",
        sides_px=how.sides_px() or (blueprint.side_px,),
        fit=how.fit or "squash",
        changes=parse_changes(how.augment),
        views=how.views if how.finetune else 0,
        mixup=how.mixup,
        cutmix=how.cutmix,
        class_weights=how.class_weights,
        sampling=how.sampling,
        optimizer=options.optimizer,
        rate=_RATES[options.optimizer] if options.learning_rate is None else options.learning_rate,
        dropout=options.dropout or 0.0,
        epochs=options.epochs or _EPOCHS,
        schedule=how.schedule,
        cycle_epochs=how.cycle_epochs,
        cycle_times=how.cycle_times,
        patience=how.patience,
        plateau_times=how.plateau_times,
        least_rate=how.least_rate,
        early_stopping=how.early_stopping,
        batch=how.batch,
        weight_decay=_DECAYS[options.optimizer] if how.weight_decay is None else how.weight_decay,
        momentum=how.momentum,
        label_smoothing=how.label_smoothing,
        ema=how.ema,
        clip_norm=how.clip_norm,
        bf16=_has_bf16() if how.precision == "auto" else how.precision == "bf16",
        seed=how.seed,
    )


def _has_bf16() -> bool:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return bool(torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_avx512_bf16_supported())
