import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from drawn_backbones import patch_graph, patch_map, picture, write_card

from hub_server import running_hub

REVISION = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY, FILE = "shop/patches", "onnx/model.onnx"
GRAPH = patch_graph().SerializeToString()

# What a user does, in a process of its own: the hub's client reads its settings when it is imported.
SCRIPT = """
import sys
import numpy as np
from shelfwise.backbones import Extractor, parse_specs
from shelfwise.errors import BackboneError
try:
    extractor = Extractor(parse_specs(sys.argv[1])[0])
except BackboneError as error:
    sys.exit(f"BackboneError: {error}")
np.save(sys.argv[3], extractor.vectors(np.load(sys.argv[2])))
"""


@dataclass
class User:
    """A home folder with a card of a graph on the hub."""

    home: Path

    def __post_init__(self) -> None:
        write_card(
            self.home, b"", sha256=hashlib.sha256(GRAPH).hexdigest(), source="hub", repository=REPOSITORY,
            revision=REVISION, file=FILE,
        )  # fmt: skip
        np.save(self.home / "pixels.npy", picture(32)[None])

    def extract(self, endpoint: str, cache: str = "cache") -> tuple[np.ndarray | None, str]:
        """Return the vectors, and what was said on standard error."""
        target = self.home / "vectors.npy"
        target.unlink(missing_ok=True)
        own = {
            "HF_ENDPOINT": endpoint, "HF_HOME": str(self.home / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_ETAG_TIMEOUT": "2", "NO_PROXY": "*", "SHELFWISE_CACHE": str(self.home / cache),
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        command = [sys.executable, "-c", SCRIPT, "patches.toml", "pixels.npy", str(target)]
        done = subprocess.run(command, cwd=self.home, env=kept | own, capture_output=True, text=True, timeout=120)
        return (np.load(target) if target.exists() else None), done.stderr


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_a_graph_is_fetched_once_at_its_pinned_revision_and_needs_no_server_afterwards(user: User) -> None:
    expected = patch_map(picture(32)[None], (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)).mean(axis=(2, 3))
    with running_hub(REVISION, {f"{REPOSITORY}/{FILE}": GRAPH}) as hub:
        vectors, said = user.extract(hub.url)
        assert vectors is not None, said
        np.testing.assert_allclose(vectors, expected, atol=1e-4)
        assert f"GET /{REPOSITORY}/resolve/{REVISION}/{FILE}" in hub.requests
    for cache in ("cache", "another cache"):  # neither the built graph nor the downloaded file is asked for again
        again, said = user.extract(hub.url, cache)
        assert again is not None, said
        np.testing.assert_array_equal(again, vectors)


def test_another_content_than_the_card_pins_is_refused(user: User) -> None:
    with running_hub(REVISION, {f"{REPOSITORY}/{FILE}": patch_graph(opset=18).SerializeToString()}) as hub:
        vectors, said = user.extract(hub.url)
    assert vectors is None
    assert said.startswith("BackboneError: patches: sha256 of onnx/model.onnx is") and "the card pins" in said


def test_a_file_that_the_hub_does_not_have_is_answered_with_what_to_do(user: User) -> None:
    with running_hub(REVISION, {}) as hub:
        vectors, said = user.extract(hub.url)
    assert vectors is None
    assert said.startswith("BackboneError: patches: cannot fetch onnx/model.onnx of shop/patches from the hub")


@pytest.mark.slow  # the hub's client tries six times, within 25 seconds, and cannot be told otherwise
def test_a_server_that_is_down_is_answered_with_what_to_do(user: User) -> None:
    with running_hub(REVISION, {}) as hub:
        gone = hub.url
    vectors, said = user.extract(gone)
    assert vectors is None and "Traceback" not in said
    last = said.splitlines()[-1]  # after the warnings of the hub's client
    assert last.startswith("BackboneError: patches: cannot fetch onnx/model.onnx of shop/patches from the hub")
    assert last.endswith("connect to the network, or use lite0, lite1 or lite2, which need none")
