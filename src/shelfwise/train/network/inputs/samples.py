"""What goes into a network, batch by batch: photos decoded in threads, changed at random, normalized."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shelfwise.engines.local import available_cores, map_ordered
from shelfwise.images.decode import decode
from shelfwise.images.preprocess import Preprocessing, prepare
from shelfwise.train.network.inputs.augment import Augmentation, number_of
from shelfwise.train.network.inputs.photos import Numbers, Photos

Color = tuple[float, ...]


class Samples(Protocol):
    """What a network learns from: sample k of an epoch depends on nothing but the seed, the epoch and k."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def batches(self, epoch: int, parts: Iterable[Numbers]) -> Iterator[Tensor]:
        """Yield the inputs (m, ...) of the samples of each part, float32."""
        ...


class PhotoSamples:
    """Photos as a network sees them while it learns, (m, 3, side, side)."""

    def __init__(self, photos: Photos, augmentation: Augmentation, mean: Color, std: Color, seed: int) -> None:
        self._photos, self._augmentation, self._seed = photos, augmentation, seed
        self._normalize = Normalization(mean, std)

    def __len__(self) -> int:
        return len(self._photos)

    def batches(self, epoch: int, parts: Iterable[Numbers]) -> Iterator[Tensor]:
        """Yield normalized photos, changed anew in every epoch."""
        needed = self._augmentation.needed_px

        def changed(part: Numbers) -> Tensor:
            return torch.stack([
                self._augmentation(decode(data, minimum_side_px=needed).pixels, number_of(self._seed, epoch, int(photo)))
                for photo, data in zip(part, self._photos.pictures(part), strict=True)
            ])  # fmt: skip

        for photos in map_ordered(changed, parts, available_cores()):
            yield self._normalize(photos)


class HeldSamples:
    """Photos as they are served, (m, 3, side, side): never changed."""

    def __init__(self, photos: Photos, preprocessing: Preprocessing, mean: Color, std: Color) -> None:
        self._photos, self._preprocessing = photos, preprocessing
        self._normalize = Normalization(mean, std)

    def __len__(self) -> int:
        return len(self._photos)

    def batches(self, epoch: int, parts: Iterable[Numbers]) -> Iterator[Tensor]:  # noqa: ARG002
        """Yield normalized photos."""

        def prepared(part: Numbers) -> NDArray[np.uint8]:
            return np.stack([prepare(data, self._preprocessing) for data in self._photos.pictures(part)])

        for pixels in map_ordered(prepared, parts, available_cores()):
            yield self._normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2))


class Normalization:
    """uint8 photos (n, 3, h, w) to float32 with a backbone's mean and spread."""

    def __init__(self, mean: Color, std: Color) -> None:
        self._mean = 255 * torch.tensor(mean).view(1, 3, 1, 1)
        self._std = 255 * torch.tensor(std).view(1, 3, 1, 1)

    def __call__(self, photos: Tensor) -> Tensor:
        """Return the normalized photos."""
        return photos.float().sub_(self._mean).div_(self._std)
