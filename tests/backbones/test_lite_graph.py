import numpy as np
import pytest
from drawn_backbones import GROCERY, picture

from shelfwise.backbones import Extractor
from shelfwise.backbones.cards import packaged_cards, parse_spec
from shelfwise.backbones.graphs import weights_file
from shelfwise.backbones.lite import build_lite
from shelfwise.backbones.weights import read_state_dict

# First four values, mean and length of every part of the vector of picture(side), as timm 1.0.31's
# tf_efficientnet_lite{k} computes them in torch 2.14.1 from the same weights.
PINNED = {
    "lite0": [
        ([0.0, 0.0, 1.6339, 0.7952], 0.22185, 17.2223),
        ([2.0135, 2.3873, -1.6408, 0.4834], -0.29356, 29.8708),
        ([-1.2115, -3.7882, 1.7805, -0.7738], 0.02335, 54.9237),
        ([1.8078, 3.4495, 4.5398, 6.8497], 0.6683, 54.2687),
    ],
    "lite1": [
        ([0.0414, 0.0, 0.0, 0.0058], 0.15836, 13.6003),
        ([2.9906, 0.3765, 0.5664, -0.4567], 0.10387, 28.4647),
        ([-4.4055, -0.6546, 1.6467, 4.2831], -0.36049, 51.7863),
        ([0.1439, 0.5272, -1.3563, 1.8485], -0.78031, 44.4933),
    ],
    "lite2": [
        ([0.0, 0.4274, 0.5658, 0.1468], 0.18688, 15.5404),
        ([-2.5831, -0.5778, 1.4076, -0.087], -0.0564, 32.7352),
        ([-0.9557, 4.7613, 1.9441, -2.5399], 0.02523, 48.2433),
        ([-1.7239, 3.5393, 1.7387, -5.0333], -0.20096, 38.5225),
    ],
}


@pytest.mark.parametrize("name", PINNED)
def test_the_vector_of_a_drawn_picture_is_the_one_that_timm_computes(name: str) -> None:
    spec = parse_spec(f"{name}:3")
    (vector,) = Extractor(spec).vectors(picture(spec.side_px)[None])
    assert len(vector) == sum(spec.widths)
    parts = np.split(vector, np.cumsum(spec.widths)[:-1])
    for part, (first, mean, length) in zip(parts, PINNED[name], strict=True):
        np.testing.assert_allclose(part[:4], first, atol=1e-3)
        assert part.mean() == pytest.approx(mean, abs=1e-3)
        assert np.linalg.norm(part) == pytest.approx(length, rel=1e-3)


def test_fewer_stages_are_the_beginning_of_more_and_a_photo_does_not_depend_on_its_batch() -> None:
    pixels = np.stack([picture(96), picture(96)[::-1], picture(96)[:, ::-1]])
    full = Extractor(parse_spec("lite0@96:3")).vectors(pixels)
    for stages in range(3):
        spec = parse_spec(f"lite0@96:{stages}")
        np.testing.assert_allclose(Extractor(spec).vectors(pixels), full[:, : sum(spec.widths)], atol=1e-4)
    one_by_one = np.concatenate([Extractor(parse_spec("lite0@96:3")).vectors(row[None]) for row in pixels])
    np.testing.assert_allclose(one_by_one, full, atol=1e-4)


# Classes of ImageNet-1k (Russakovsky et al. 2015) whose names are those of Grocery's folders.
IMAGENET = {"Fruit/Banana": 954, "Fruit/Pineapple": 953, "Vegetables/Cabbage": 936, "Fruit/Apple/Granny-Smith": 948}


def imagenet_accuracy(state: list[tuple[str, np.ndarray]]) -> float:
    """Share of real photos that a network with its own last layer files under the right ImageNet class."""
    import onnxruntime as ort

    from shelfwise.images.preprocess import Preprocessing, prepare

    session = ort.InferenceSession(build_lite(state, 0).SerializeToString(), providers=["CPUExecutionProvider"])
    weight, bias = dict(state)["_fc.weight"], dict(state)["_fc.bias"]
    right = []
    for folder, label in IMAGENET.items():
        photos = sorted((GROCERY / "train" / folder).glob("*.jpg"))[:8]
        pixels = np.stack([prepare(photo.read_bytes(), Preprocessing(224)) for photo in photos])
        logits = session.run(["vector"], {"pixels": pixels})[0] @ weight.T + bias
        right.extend(logits.argmax(axis=1) == label)
    return float(np.mean(right))


@pytest.mark.skipif(not GROCERY.is_dir(), reason=f"the Grocery photos are not at {GROCERY}: set SHELFWISE_DATA")
def test_real_photos_get_their_imagenet_class_and_weights_read_in_storage_order_are_caught() -> None:
    card = packaged_cards()["lite0"]
    state = read_state_dict(weights_file(card), card.sha256)
    assert imagenet_accuracy(state) > 0.9

    # The mistake that this guards against: the convolutions lie in the file as (k, k, in, out), and their strides say so.
    def in_storage_order(weight: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(weight.shape)

    scrambled = [(name, in_storage_order(value) if value.ndim == 4 else value) for name, value in state]
    assert imagenet_accuracy(scrambled) < 0.2
