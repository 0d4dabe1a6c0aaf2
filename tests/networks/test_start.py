"""What networks start from: weights of the package, of a hub, of a file, of a bundle."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from drawn_shop import photo, write
from hub_server import running_hub
from shelfwise.backbones.cards import packaged_cards
from shelfwise.bundle import Bundle
from shelfwise.bundle.members import NETWORK_WEIGHTS
from shelfwise.errors import OptionError
from shelfwise.ingest import FolderSource, ingest
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.start import digest_of, put_weights, refuse_license, start_from_file, start_pretrained
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train import train
from shelfwise.train.network.settings import settle
from shelfwise.train.network.start import start_network

QUICK = TrainOptions(network="small-cnn", epochs=1, learning_rate=0.01)
HOW = NetworkOptions(side="32", augment="none", log="none")


def network_of(name: str, categories: int = 4, seed: int = 0) -> nn.Module:
    return new_network(find_network(name), categories, 0.0, seed)


def same(one: dict[str, Tensor], other: dict[str, Tensor], names: list[str]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in names)


def body_of(network: nn.Module, head: str) -> list[str]:
    return [name for name in network.state_dict() if not name.startswith(head)]


@pytest.fixture(scope="module")
def specialist(drawn_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network trained on twelve categories."""
    to = tmp_path_factory.mktemp("specialist") / "specialist.bundle"
    train(drawn_catalog, to, QUICK, HOW)
    return to


@pytest.fixture(scope="module")
def weights(specialist: Path) -> dict[str, Tensor]:
    return safetensors.torch.load(Bundle.load(specialist).kept[NETWORK_WEIGHTS]())


@pytest.fixture(scope="module")
def mugs_and_boots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two")
    for split, count in (("train", 4), ("val", 2)):
        for kind in ("mug", "boot"):
            for number in range(count):
                write(root / "photos" / split / kind / f"{number}.jpg", photo(kind, number + 50 * len(split), 48))
    ingest(FolderSource(root / "photos"), root / "two.catalog")
    return root / "two.catalog"


def test_a_network_starts_from_the_package_unless_there_are_no_such_weights():
    lite, ours = (
        settle(TrainOptions(network=name), NetworkOptions(), find_network(name)) for name in ("lite0", "resnet18-d")
    )
    assert (lite.start, lite.head_rate, lite.freezes_batch_norm) == ("pretrained", 10, True)
    assert (ours.start, ours.head_rate, ours.freezes_batch_norm) == ("random", 1, False)
    with pytest.raises(OptionError, match="--start pretrained: there are no such weights of resnet18-d"):
        start_network(network_of("resnet18-d"), find_network("resnet18-d"), "pretrained", False)


def test_dense_layers_stand_on_the_same_packaged_weights():
    plain, dense = network_of("lite0"), network_of("lite0+dense=16,8")
    random = network_of("lite0+dense=16,8").state_dict()
    for network, name in ((plain, "lite0"), (dense, "lite0+dense=16,8")):
        start_pretrained(network, find_network(name), accepts_license=False)
    body = body_of(plain, "classifier.")
    assert body == body_of(dense, "classifier.")
    assert same(plain.state_dict(), dense.state_dict(), body)
    hidden = [name for name in random if name.startswith(("classifier.0.", "classifier.2."))]
    assert len(hidden) == 4 and same(dense.state_dict(), random, hidden)
    assert not dense.state_dict()["classifier.5.weight"].any() and not dense.state_dict()["classifier.5.bias"].any()
    assert not torch.equal(dense.state_dict()["conv_stem.weight"], random["conv_stem.weight"])


def test_a_specialist_is_transferred_and_its_last_layer_replaced(
    specialist: Path, weights: dict[str, Tensor], mugs_and_boots: Path, tmp_path: Path
):
    summary = train(mugs_and_boots, tmp_path / "two.bundle", QUICK, replace(HOW, start=str(specialist), tune="head"))
    learned = safetensors.torch.load(Bundle.load(tmp_path / "two.bundle").kept[NETWORK_WEIGHTS]())
    assert learned["classifier.weight"].shape == (2, 128) and weights["classifier.weight"].shape == (12, 128)
    assert same(learned, weights, [name for name in weights if not name.startswith("classifier.")])
    told = summary.facts["network"]
    assert told["started_from"] == f"the network of {specialist}"
    assert told["license"] == Bundle.load(tmp_path / "two.bundle").layout.specs[0].card.license == "none"


def test_a_bundle_in_one_file_is_transferred_too(specialist: Path, weights: dict[str, Tensor], tmp_path: Path):
    Bundle.load(specialist).save(tmp_path / "one.zip")
    network = network_of("small-cnn+dense=16", categories=2)
    started = start_network(network, find_network("small-cnn+dense=16"), str(tmp_path / "one.zip"), False)
    assert same(network.state_dict(), weights, body_of(network, "classifier."))
    assert started.digest == digest_of(network)


def test_the_network_of_a_bundle_is_not_put_into_another_one(specialist: Path, drawn_bundle: Path, tmp_path: Path):
    with pytest.raises(OptionError, match="its network is small-cnn, not resnet18-d: type  --network small-cnn"):
        start_network(network_of("resnet18-d"), find_network("resnet18-d"), str(specialist), False)
    with pytest.raises(OptionError, match="this bundle holds no network that was trained"):
        start_network(network_of("small-cnn"), find_network("small-cnn"), str(drawn_bundle), False)
    with pytest.raises(OptionError, match=r"pretrained, random, a \.safetensors file, or a bundle"):
        start_network(network_of("small-cnn"), find_network("small-cnn"), str(tmp_path / "nothing"), False)


@pytest.mark.parametrize(("categories", "keeps_head"), [(4, True), (5, False)])
def test_a_file_gives_its_last_layer_too_where_that_fits(categories: int, keeps_head: bool, tmp_path: Path):
    given, network = network_of("small-cnn", 4, seed=1), network_of("small-cnn", categories, seed=2)
    safetensors.torch.save_file(given.state_dict(), tmp_path / "given.safetensors")
    start_from_file(network, tmp_path / "given.safetensors")
    assert same(network.state_dict(), given.state_dict(), body_of(network, "classifier."))
    assert bool(network.state_dict()["classifier.bias"].any()) == keeps_head  # a new one begins at zero
    assert (digest_of(network) == digest_of(given)) == keeps_head


def test_what_differs_in_a_file_is_told_by_name(tmp_path: Path):
    network = network_of("small-cnn")
    state = dict(network.state_dict())
    del state["hidden.bias"]
    state |= {"extra": torch.zeros(1), "hidden.weight": torch.zeros(3, 4)}
    safetensors.torch.save_file(state, tmp_path / "other.safetensors")
    told = r"hidden.bias is missing, extra is unknown, hidden.weight is \(3, 4\) instead of \(128, 2048\)$"
    with pytest.raises(OptionError, match=told):
        start_from_file(network, tmp_path / "other.safetensors")
    with pytest.raises(OptionError, match=r", and [0-9]+ more"):
        put_weights(network_of("resnet18-d"), network.state_dict(), "x", keeps_head=False)


def test_what_is_no_file_of_numbers_is_refused(tmp_path: Path):
    network = network_of("small-cnn")
    write(tmp_path / "pickle.safetensors", b"\x80\x04pickle")
    with pytest.raises(OptionError, match="is no safetensors file"):
        start_from_file(network, tmp_path / "pickle.safetensors")
    with pytest.raises(OptionError, match="cannot be read"):
        start_from_file(network, tmp_path / "missing.safetensors")
    state = network.state_dict() | {"hidden.bias": torch.full((128,), torch.nan)}
    with pytest.raises(OptionError, match=r"hidden\.bias holds a number that is not finite"):
        put_weights(network, state, "x", keeps_head=False)


def test_the_digest_changes_with_any_weight_and_nothing_else():
    one, other = network_of("small-cnn"), network_of("small-cnn")
    assert digest_of(one) == digest_of(other.train())
    other.get_parameter("stages.0.0.bias").data[3] += 1e-6
    assert digest_of(one) != digest_of(other)


def test_weights_that_do_not_allow_any_use_are_taken_only_when_the_license_is_accepted():
    blueprint = find_network("convnextv2_atto")
    assert blueprint.license == timm.get_pretrained_cfg("convnextv2_atto").license == "cc-by-nc-4.0"
    with pytest.raises(OptionError, match=r"the license cc-by-nc-4.0.*--accept-license.*--start random"):
        start_pretrained(network_of("convnextv2_atto"), blueprint, accepts_license=False)
    refuse_license("x", "cc-by-nc-4.0", accepted=True)
    for free in (
        "apache-2.0",
        "mit",
        "bsd-3-clause",
        *(card.license for card in packaged_cards().values() if "lite" in card.name),
    ):
        refuse_license("x", free, accepted=False)
    with pytest.raises(OptionError, match="an unknown license"):
        refuse_license("x", "unknown", accepted=False)


# What a user does, in a process of its own: the hub's client reads its settings when it is imported.
SCRIPT = """
import sys
from shelfwise.errors import ShelfwiseError
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.start import digest_of, start_pretrained
blueprint = find_network("mobilenetv3_small_050")
network = new_network(blueprint, 3, 0.0, 5)
try:
    start_pretrained(network, blueprint, False)
except ShelfwiseError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(digest_of(network))
"""


def started_from_hub(endpoint: str, home: Path) -> tuple[str, str]:
    """Return what was said on standard output and error."""
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(command, env=kept | own, capture_output=True, text=True, timeout=120)
    return done.stdout.strip(), done.stderr.strip()


@pytest.mark.slow  # three processes that import torch
def test_timms_weights_are_fetched_from_the_hub_once_and_a_hub_that_is_away_is_told_in_one_line(tmp_path: Path):
    torch.manual_seed(9)
    given = timm.create_model("mobilenetv3_small_050")
    expected = new_network(find_network("mobilenetv3_small_050"), 3, 0.0, 5)
    put_weights(expected, given.state_dict(), "x", keeps_head=False)
    files = {"timm/mobilenetv3_small_050.lamb_in1k/model.safetensors": safetensors.torch.save(given.state_dict())}
    with running_hub("0123456789abcdef0123456789abcdef01234567", files) as hub:
        assert started_from_hub(hub.url, tmp_path) == (digest_of(expected), "")
    assert started_from_hub(hub.url, tmp_path)[0] == digest_of(expected)  # though the hub is gone
    out, said = started_from_hub(hub.url, tmp_path / "elsewhere")
    assert out == "" and len(said.splitlines()) == 1
    assert said.startswith("BackboneError: mobilenetv3_small_050: its weights cannot be fetched (")
    assert "--start FILE.safetensors, or begin with --start random" in said
