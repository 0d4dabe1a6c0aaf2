"""Weights of timm's networks, which lie on the hub."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from shelfwise.errors import BackboneError

_FILE = "model.safetensors"
_PATIENCE_S = 10.0


def hub_state(name: str, timm: Any) -> dict[str, Tensor]:
    """Fetch the weights of one of timm's networks, or read them where they were fetched before, under timm's names.

    Raises BackboneError where they are not to be had.
    """
    repository = timm.get_pretrained_cfg(name).hf_hub_id
    try:
        elsewhere = {} if repository is None else {"file": _hub_file(repository)}
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=elsewhere)
    except Exception as error:  # of the hub, of the network, of files: they have no class in common
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise BackboneError(
            f"{name}: its weights cannot be fetched ({said}): connect to the network, name a file of them with "
            "--start FILE.safetensors, or begin with --start random; lite0, lite1 and lite2 need no network"
        ) from error
    state: dict[str, Tensor] = network.state_dict()
    return state


def _hub_file(repository: str) -> str:
    """Return the file of weights: from the cache of the hub's client, else from the hub, if that is there."""
    from huggingface_hub import constants, get_session, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return str(hf_hub_download(repository, _FILE, local_files_only=True))
    except LocalEntryNotFoundError:
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE_S)  # without the client's retries, which take a minute
        return str(hf_hub_download(repository, _FILE))
