from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shelfwise.images.draw import KINDS, draw_product, encode_jpeg
from shelfwise.images.hashes import perceptual_hash
from shelfwise.index import look_alikes as module
from shelfwise.index.look_alikes import CORRELATION, RADIUS, look_alikes, thumbnail


def found(pictures: list[bytes]) -> set[tuple[int, int]]:
    hashes = np.array([perceptual_hash(np.asarray(Image.open(io.BytesIO(p)).convert("RGB"))) for p in pictures])
    i, j = look_alikes(hashes.astype(np.uint64), lambda places: np.stack([thumbnail(pictures[p]) for p in places]))
    return set(zip(i.tolist(), j.tolist(), strict=True))


def by_comparing_all(hashes: NDArray[np.uint64], thumbnails: NDArray[np.uint8]) -> set[tuple[int, int]]:
    """Compare all with all: bits of the hashes, then numpy's own correlation."""
    pairs = set()
    for i in range(len(hashes)):
        for j in range(i + 1, len(hashes)):
            if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= RADIUS:
                with np.errstate(invalid="ignore"):
                    alike = np.corrcoef(thumbnails[i].ravel(), thumbnails[j].ravel())[0, 1] >= CORRELATION
                pairs |= {(i, j)} if alike else set()
    return pairs


def crowd(n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Make pictures around few hashes and few looks, so that every kind of pair occurs."""
    rng = np.random.default_rng(n)
    centers, looks = rng.integers(0, 2**64, 4, dtype=np.uint64), rng.integers(0, 256, (5, 32, 32, 3))
    flips = [sum(1 << int(bit) for bit in rng.choice(64, rng.integers(5), replace=False)) for _ in range(n)]
    hashes = centers[rng.integers(4, size=n)] ^ np.array(flips, dtype=np.uint64)
    noise = rng.normal(0, rng.choice([2, 20, 40], (n, 1, 1, 1)), (n, 32, 32, 3))
    return hashes, (looks[rng.integers(5, size=n)] + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("pictures_at_once", [3, 8192])
def test_exactly_the_pairs_of_comparing_all_with_all_are_found(monkeypatch: pytest.MonkeyPatch, pictures_at_once: int):
    monkeypatch.setattr(module, "_PICTURES", pictures_at_once)
    hashes, thumbnails = crowd(120)
    asked: list[int] = []

    def given(places: NDArray[np.int64]) -> NDArray[np.uint8]:
        asked.extend(places.tolist())
        return thumbnails[places]

    i, j = look_alikes(hashes, given)
    pairs = list(zip(i.tolist(), j.tolist(), strict=True))
    assert pairs == sorted(by_comparing_all(hashes, thumbnails))
    assert len(pairs) > 60
    assert len(asked) == len(set(asked))


def test_copies_in_another_size_quality_or_format_are_found_and_other_products_are_not():
    pictures = []
    for number, kind in enumerate(KINDS):
        drawn = Image.fromarray(draw_product(kind, number))
        webp = io.BytesIO()
        drawn.save(webp, "WEBP", quality=75)
        half = np.asarray(drawn.resize((112, 112), Image.Resampling.LANCZOS))
        pictures += [
            encode_jpeg(np.asarray(drawn), 90),
            encode_jpeg(np.asarray(drawn), 50),
            encode_jpeg(half),
            webp.getvalue(),
        ]
    expected = {(4 * k + a, 4 * k + b) for k in range(len(KINDS)) for a in range(4) for b in range(a + 1, 4)}
    assert found(pictures) == expected


def test_the_same_hash_is_not_enough():
    hashes, noise = np.zeros(2, dtype=np.uint64), np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert len(look_alikes(hashes, lambda places: noise[places])[0]) == 0
    assert len(look_alikes(hashes, lambda places: noise[places * 0])[0]) == 1


def test_pictures_of_one_color_are_like_no_other():
    blank = [encode_jpeg(np.full((64, 64, 3), value, np.uint8)) for value in (255, 255, 90)]
    assert found(blank) == set()


def test_a_crowd_of_one_hash_is_compared_with_its_first_and_does_not_explode():
    looks = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    i, _ = look_alikes(
        np.zeros(3_000, dtype=np.uint64), lambda places: np.broadcast_to(looks, (len(places), 32, 32, 3))
    )
    assert len(i) == 64 * 63 // 2 + (3_000 - 64)


def test_pictures_that_are_close_to_none_are_not_even_asked_for():
    def never(places: NDArray[np.int64]) -> NDArray[np.uint8]:
        pytest.fail(f"asked for {places}")

    for hashes in ([], [0], [0, 2**64 - 1]):
        assert [len(side) for side in look_alikes(np.array(hashes, dtype=np.uint64), never)] == [0, 0]
