from typing import Any

import numpy as np
import pytest
from drawn_backbones import GROCERY, picture

from shelfwise.backbones import Extractor
from shelfwise.backbones.cards import packaged_cards, parse_spec
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.weights import read_state_dict
from shelfwise.images.draw import KINDS, draw_product
from shelfwise.images.preprocess import Preprocessing, prepare

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
torch: Any = pytest.importorskip("torch", reason="compares with torch: pip install 'shelfwise[torch]'")
timm: Any = pytest.importorskip("timm", reason="compares with timm: pip install 'shelfwise[torch]'")


def photos(side: int) -> np.ndarray:
    drawn = [picture(side), *(draw_product(kind, 1, side) for kind in KINDS[:5])]
    real = sorted((GROCERY / "test").rglob("*.jpg"))[::800] if GROCERY.is_dir() else []
    return np.stack([*drawn, *(prepare(photo.read_bytes(), Preprocessing(side)) for photo in real)])


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_the_weights_are_those_that_torch_reads(name: str) -> None:
    card = packaged_cards()[name]
    ours = read_state_dict(weights_file(card), card.sha256)
    theirs = torch.load(weights_file(card), weights_only=True)
    assert [key for key, _ in ours] == list(theirs)
    for key, value in ours:
        np.testing.assert_array_equal(value, theirs[key].numpy(), strict=True)


@pytest.mark.parametrize("side", [None, 160, 301])
@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_the_graph_equals_timms_network_with_the_same_weights(name: str, side: int | None) -> None:
    spec = parse_spec(f"{name}@{side}:3" if side else f"{name}:3")
    model = timm.create_model(f"tf_efficientnet_{name}", pretrained=False).eval()
    names = model.state_dict()
    loaded = torch.load(weights_file(spec.card), weights_only=True).values()
    model.load_state_dict({n: v.reshape(names[n].shape) for n, v in zip(names, loaded, strict=True)})
    stages: dict[int, Any] = {}
    for number in (4, 5, 6):
        keep = lambda _module, _inputs, output, number=number: stages.update({number: output.mean((2, 3))})  # noqa: E731
        model.blocks[number].register_forward_hook(keep)
    pixels = photos(spec.side_px)
    with torch.inference_mode():
        head = model.forward_features(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1).mean((2, 3))
    expected = torch.cat([head, stages[6], stages[5], stages[4]], dim=1).numpy()
    np.testing.assert_allclose(Extractor(spec).vectors(pixels), expected, atol=1e-4, rtol=1e-4)
