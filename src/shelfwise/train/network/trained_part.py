"""Which layers of a network are trained, how fast each, and when."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from shelfwise.errors import OptionError
from shelfwise.networks.stages import Stage, classifier_of, stages_of, weighted_layers


@dataclass(frozen=True)
class TrainedPart:
    """The layers that learn: from `first` on, in the order in which data flows; stages: of the whole network."""

    stages: list[Stage]
    layers: list[str]
    first: int

    @property
    def first_stage(self) -> int:
        """The first stage that holds a layer that is trained."""
        layer = self.layers[self.first]
        return next(
            place for place, stage in enumerate(self.stages) if any(_is_in(layer, name) for name in stage.modules)
        )

    def stage_of(self, layer: str) -> int:
        """The stage of a layer or parameter."""
        return next(place for place, stage in enumerate(self.stages) if any(_is_in(layer, n) for n in stage.modules))


def trained_part(network: nn.Module, tune: str) -> TrainedPart:
    """Find what an option asks to train; raises OptionError for a layer or a number of stages that the network lacks."""
    stages, layers = stages_of(network), weighted_layers(network)
    if tune == "all":
        return TrainedPart(stages, layers, 0)
    if tune == "head":
        return TrainedPart(stages, layers, layers.index(classifier_of(network)[0]))
    if tune.isdigit():
        names = [stage.name for stage in stages if stage.name not in ("stem", "head")]
        if int(tune) > len(names):
            raise OptionError(f"--tune {tune}: the network has {len(names)} stages: {', '.join(names)}")
        name = names[-int(tune)]
        return TrainedPart(stages, layers, next(i for i, layer in enumerate(layers) if _is_in(layer, name)))
    wanted = tune.removeprefix("from:")
    if wanted.isdigit() and int(wanted) < len(layers):
        return TrainedPart(stages, layers, int(wanted))
    found = [i for i, layer in enumerate(layers) if _is_in(layer, wanted)]
    if not found:
        raise OptionError(
            f"--tune {tune}: the network has {len(layers)} layers, 0 to {len(layers) - 1}, among them "
            f"{', '.join(layers[:: max(1, len(layers) // 12)])}"
        )
    return TrainedPart(stages, layers, found[0])


def set_trained(network: nn.Module, part: TrainedPart, frozen_stages: int, freezes_batch_norm: bool) -> None:
    """Let the trained layers learn, except in the first `frozen_stages` stages, and put every module into its mode.

    A layer that does not learn behaves as it does when it answers; so do batch norms that are frozen.
    """
    learning = {layer for layer in part.layers[part.first :] if part.stage_of(layer) >= frozen_stages}
    network.train()
    for name, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        for parameter in own:
            parameter.requires_grad_(name in learning)
        is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        if (own and name not in learning) or (is_norm and freezes_batch_norm):
            module.eval()


def _is_in(layer: str, module: str) -> bool:
    return layer == module or layer.startswith(f"{module}.")
