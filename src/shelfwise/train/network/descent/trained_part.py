"""Which layers of a network are trained, how fast each, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from shelfwise.errors import OptionError
from shelfwise.networks.stages import Stage, head_of, stages_of, weighted_layers


@dataclass(frozen=True)
class TrainedPart:
    """The layers that learn: from `first` on, in the order in which data flows; stages: of the whole network."""

    stages: list[Stage]
    layers: list[str]
    first: int

    @property
    def body(self) -> int:
        """The number of stages in front of the neck and the head."""
        return sum(stage.name not in ("neck", "head") for stage in self.stages)

    @property
    def first_stage(self) -> int:
        """The first stage that holds a layer that is trained."""
        return self.stage_of(self.layers[self.first])

    def stage_of(self, layer: str) -> int:
        """The stage of a layer or parameter; what lies in no stage, such as a token that a network adds, is of the first."""
        found = (place for place, stage in enumerate(self.stages) if any(_is_in(layer, n) for n in stage.modules))
        return next(found, 0)


def trained_part(network: nn.Module, tune: str) -> TrainedPart:
    """Find what an option asks to train; raises OptionError for a layer or a number of stages that the network lacks."""
    stages, layers = stages_of(network), weighted_layers(network)
    whole = TrainedPart(stages, layers, 0)
    wanted = head_of(network) if tune == "head" else tune.removeprefix("from:")
    if tune.isdigit():
        places = [place for place, stage in enumerate(stages) if stage.name not in ("stem", "neck", "head")]
        if int(tune) > len(places):
            names = ", ".join(stages[place].name for place in places)
            raise OptionError(f"--tune {tune}: the network has {len(places)} stages: {names}")
        found = [i for i, layer in enumerate(layers) if whole.stage_of(layer) == places[-int(tune)]]
    elif wanted.isdigit() and int(wanted) < len(layers):
        found = [int(wanted)]
    else:
        found = [i for i, layer in enumerate(layers) if tune == "all" or _is_in(layer, wanted)]
    if not found:
        raise OptionError(
            f"--tune {tune}: the network has {len(layers)} layers, 0 to {len(layers) - 1}, among them "
            f"{', '.join(layers[:: max(1, len(layers) // 12)])}"
        )
    return replace(whole, first=found[0])


def frozen_stages(part: TrainedPart, gradual: int, epoch: int) -> int:
    """Return how many of the first stages do not learn yet: all but the head at first, one less every `gradual` epochs.

    The neck begins with the last stage. Source: Howard & Ruder, ULMFiT (2018), section 3.3.
    """
    freed = epoch // gradual if gradual else part.body
    return max(0, part.body - freed) if freed else len(part.stages) - 1


def set_trained(network: nn.Module, part: TrainedPart, frozen: int, freezes_batch_norm: bool) -> None:
    """Let the trained layers learn, except in the first `frozen` stages, and put every module into its mode.

    What lies in front of the first layer that learns behaves as it does when it answers, dropout too; so do frozen layers behind
    it, and batch norms that are frozen.
    """
    learning = {layer for layer in part.layers[part.first :] if part.stage_of(layer) >= frozen}
    is_reached = False
    for name, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        for parameter in own:
            parameter.requires_grad_(name in learning)
        is_reached = is_reached or name in learning
        is_frozen = name not in learning if own else not (is_reached or any(_is_in(layer, name) for layer in learning))
        is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        module.training = not is_frozen and not (is_norm and freezes_batch_norm)
    network.training = True  # though it may hold weights of its own that do not learn: its dropout may lie behind them


def _is_in(layer: str, module: str) -> bool:
    return layer == module or layer.startswith(f"{module}.")
