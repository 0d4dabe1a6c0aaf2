"""Static int8: unsigned activations, signed weights per channel, calibrated on drawn pictures."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

_PICTURES, _BATCH = 96, 8
_QUANTIZED_OPERATORS = ["Conv", "Clip", "Add", "GlobalAveragePool"]


def quantize(model: onnx.ModelProto, side_px: int) -> bytes:
    """Turn a float graph (input `pixels`) into an int8 one (QDQ).

    side_px: side of the calibration pictures, the backbone's own; the graph then serves at every side.
    The ranges of the activations are the smallest and largest values seen on drawn pictures, so that the graph depends on
    nothing but the weights. Source: docs/experiments.md, entry on int8.
    """
    from onnxruntime import quantization

    class Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = calibration_batches(side_px)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(self.batches, None)

    # Says that there is nothing left to fold or infer; without it ONNX Runtime warns and sets up logging.
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(model.SerializeToString())
        quantization.quantize_static(
            source, target, Pictures(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=_QUANTIZED_OPERATORS,
        )  # fmt: skip
        return target.read_bytes()


def calibration_batches(side_px: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Draw the calibration pictures, always the same ones, in batches that fit the graph's input."""
    random = np.random.default_rng(0)
    for _ in range(0, _PICTURES, _BATCH):
        yield {"pixels": np.stack([_drawn(random, side_px) for _ in range(_BATCH)])}


def _drawn(random: np.random.Generator, side_px: int) -> NDArray[np.uint8]:
    """Draw natural-looking noise with shapes upon it: light falls off with frequency as in photos."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side_px), np.fft.fftfreq(side_px)))
    frequency[0, 0] = 1 / side_px
    slope = random.uniform(0.6, 1.6)
    light, *colors = (
        plane / plane.std()
        for plane in (
            np.fft.ifft2(np.fft.fft2(random.normal(size=(side_px, side_px))) / frequency**slope).real for _ in range(4)
        )
    )
    ground = random.uniform(60, 200, 3) + random.uniform(10, 60) * light[..., None]
    ground = ground + random.uniform(0, 40) * np.stack(colors, axis=-1)
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    pencil = ImageDraw.Draw(picture)
    for _ in range(random.integers(0, 12)):
        (x, y), (w, h) = random.uniform(0, side_px, 2), random.uniform(0.05, 0.5, 2) * side_px
        color = tuple(random.integers(0, 256, 3).tolist())
        draw = (pencil.rectangle, pencil.ellipse)[random.integers(2)]
        draw((x, y, x + w, y + h), fill=color)
    if random.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2)))
    if random.random() < 0.15:
        packshot = Image.new("RGB", (side_px, side_px), "white")
        packshot.paste(picture.resize((side_px * 3 // 5,) * 2), (side_px // 5, side_px // 5))
        picture = packshot
    return np.asarray(picture)


def has_int8_dot_product() -> bool:
    """Tell whether the processor multiplies int8 without saturating in between (x86 VNNI, ARM dot product).

    Without such instructions ONNX Runtime's unsigned-by-signed kernels may saturate at 16 bits, which costs accuracy.
    Source: onnxruntime.ai, "Quantize ONNX models", section on overflow.
    """
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return platform.machine() == "arm64" and platform.system() == "Darwin"
    return bool(flags & {"avx512_vnni", "avx_vnni", "asimddp"})
