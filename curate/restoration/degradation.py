"""A clean image made worse by a preset: what is drawn for each step is the recipe of the pair."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from curate.extras import require
from curate.records import FloatArray, UInt8Image
from curate.restoration import blur_kernels, ffmpeg
from curate.restoration import degradation_presets as presets
from curate.restoration.degradation_presets import Preset

_SIZES: Final = tuple(range(7, 22, 2))  # of kernels, pixels
_MODES: Final = ("area", "bilinear", "bicubic")
_MAX_SIDE: Final = 4  # times the clean image: no draw makes it larger
Values = dict[str, Any]


def generator(*parts: object) -> np.random.Generator:
    """Random numbers that depend on these parts alone, whatever order or machine they are drawn on."""
    text = json.dumps([str(part) for part in parts])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def degrade(
    clean: UInt8Image, preset: Preset, *, scale: int, identity: Sequence[object]
) -> tuple[UInt8Image, list[Values]]:
    """The small and bad partner of an image.

    Each step draws from a generator of its own: how many numbers Poisson noise takes depends on the pixels,
    and one level that another machine rounds otherwise must not change what is drawn after it.

    Args:
        clean: (H, W, 3); both sides are multiples of `scale`.
        preset: The steps.
        scale: How many times smaller the partner is.
        identity: Of the pair; what is drawn depends on it, on the sizes and on nothing else.

    Returns:
        (H / scale, W / scale, 3), and the steps that were taken, each with its values.

    Raises:
        MissingExtraError: OpenCV, or for video codecs ffmpeg, is not installed.
        MetricError: A video codec fails.
    """
    target = (clean.shape[1] // scale, clean.shape[0] // scale)
    work = _Work(clean.astype(np.float32) / np.float32(255), target)
    for number, step in enumerate(preset.steps):
        work.rng = generator("pairs", *identity, number)
        if work.rng.random() < step.probability:
            _STEPS[type(step)](work, step)
    if work.size != target:
        last = generator("pairs", *identity, len(preset.steps))
        work.resize(target, str(last.choice(_MODES)))
    return work.levels(), work.recipe


class _Work:
    """An image on its way.

    Attributes:
        image: (H, W, 3) float32 in [0, 1].
        target: Width and height that it must end with.
        rng: Of the step that is taken.
        recipe: What was done.
    """

    rng: np.random.Generator

    def __init__(self, image: FloatArray, target: tuple[int, int]) -> None:
        self.image, self.target = image, target
        self.recipe: list[Values] = []
        self.max_size = (image.shape[1] * _MAX_SIDE, image.shape[0] * _MAX_SIDE)
        self.cv2: Any = require("cv2", extra="restoration")

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    def levels(self) -> UInt8Image:
        return np.rint(np.clip(self.image, 0, 1) * 255).astype(np.uint8)

    def draw(self, bounds: Any) -> float:
        return round(float(self.rng.uniform(bounds.low, bounds.high)), 6)  # as the recipe states it

    def draw_shape(self, bounds: Any) -> float:
        """Half of the draws from low to 1, half from 1 to high, as BasicSR's; else from low to high."""
        if not bounds.low <= 1 <= bounds.high:
            return self.draw(bounds)
        low, high = (bounds.low, 1.0) if self.rng.random() < 0.5 else (1.0, bounds.high)
        return round(float(self.rng.uniform(low, high)), 6)

    def note(self, step: str, **values: object) -> None:
        self.recipe.append({"step": step, **values})

    def convolve(self, kernel: blur_kernels.Kernel) -> None:
        self.image = np.clip(blur_kernels.convolved(self.image, kernel), 0, 1)

    def resize(self, size: tuple[int, int], mode: str) -> None:
        flags = {
            "area": self.cv2.INTER_AREA,
            "bilinear": self.cv2.INTER_LINEAR,
            "bicubic": self.cv2.INTER_CUBIC,
        }
        self.image = np.clip(self.cv2.resize(self.image, size, interpolation=flags[mode]), 0, 1)
        self.note("resize", width=size[0], height=size[1], mode=mode)

    def sinc(self, *, lowest: float) -> None:
        size = int(self.rng.choice(_SIZES))
        low = np.pi / 3 if size < 13 else lowest
        cutoff = round(float(self.rng.uniform(low, np.pi)), 6)
        self.convolve(blur_kernels.circular_sinc(size, cutoff))
        self.note("sinc", size=size, cutoff=cutoff)

    def jpeg(self, bounds: Any) -> None:
        quality = round(self.draw(bounds))
        options = [self.cv2.IMWRITE_JPEG_QUALITY, quality]
        _, data = self.cv2.imencode(".jpg", np.ascontiguousarray(self.levels()[..., ::-1]), options)
        plain = self.cv2.imdecode(data, self.cv2.IMREAD_COLOR)[..., ::-1]
        self.image = plain.astype(np.float32) / np.float32(255)
        self.note("jpeg", quality=quality)


def _blur(work: _Work, step: presets.Blur) -> None:
    if work.rng.random() < step.sinc:
        work.sinc(lowest=np.pi / 5)
        return
    names = sorted(step.kernels)
    shares = np.array([step.kernels[name] for name in names], dtype=np.float64)
    kind = str(work.rng.choice(names, p=shares / shares.sum()))
    size = int(work.rng.choice(_SIZES))
    sigma_x = work.draw(step.sigma)
    round_one = kind.endswith("_iso") or kind == "iso"
    sigma_y = sigma_x if round_one else work.draw(step.sigma)
    angle = 0.0 if round_one else round(float(work.rng.uniform(-np.pi, np.pi)), 6)
    plateau = kind.startswith("plateau")
    shape = 1.0
    if plateau or kind.startswith("generalized"):
        shape = work.draw_shape(step.plateau if plateau else step.generalized)
    kernel = blur_kernels.gaussian_like(size, sigma_x, sigma_y, angle, shape=shape, plateau=plateau)
    work.convolve(kernel)
    work.note("blur", kernel=kind, size=size, sigma_x=sigma_x, sigma_y=sigma_y, angle=angle, shape=shape)


def _resize(work: _Work, step: presets.Resize) -> None:
    drawn = work.rng.random()
    kept = drawn >= step.up + step.down
    if kept and step.of == "current":
        return
    low, high = (1.0, step.factors.high) if drawn < step.up else (step.factors.low, 1.0)
    factor = 1.0 if kept else float(work.rng.uniform(low, high))
    sides = work.target if step.of == "target" else work.size
    width, height = (
        int(np.clip(round(side * factor), 2, max_size))
        for side, max_size in zip(sides, work.max_size, strict=True)
    )
    work.resize((width, height), str(work.rng.choice(_MODES)))


def _noise(work: _Work, step: presets.Noise) -> None:
    gaussian = work.rng.random() < step.gaussian
    gray = bool(work.rng.random() < step.gray)
    amount = work.draw(step.sigma if gaussian else step.poisson)
    image = work.image.mean(axis=2, keepdims=True) if gray and not gaussian else work.image
    if gaussian:
        shape = (*work.image.shape[:2], 1 if gray else 3)
        noise = work.rng.standard_normal(shape, dtype=np.float32) * np.float32(amount / 255)
    else:
        levels = np.rint(image * 255) / 255
        values = 2.0 ** np.ceil(np.log2(max(2, len(np.unique(levels)))))
        noise = ((work.rng.poisson(levels * values) / values - levels) * amount).astype(np.float32)
    work.image = np.clip(work.image + noise, 0, 1)
    work.note("noise", kind="gaussian" if gaussian else "poisson", amount=amount, gray=gray)


def _jpeg(work: _Work, step: presets.Jpeg) -> None:
    work.jpeg(step.quality)


def _codec(work: _Work, step: presets.Codec) -> None:
    codec, crf = str(work.rng.choice(step.codecs)), round(work.draw(step.crf))
    work.image = ffmpeg.through_codec(work.levels(), codec, crf).astype(np.float32) / np.float32(255)
    work.note("codec", codec=codec, crf=crf)


def _downscale(work: _Work, _: presets.Downscale) -> None:
    planes = [Image.fromarray(np.ascontiguousarray(work.image[..., plane])) for plane in range(3)]
    small = [np.asarray(plane.resize(work.target, Image.Resampling.BICUBIC)) for plane in planes]
    work.image = np.clip(np.stack(small, axis=-1), 0, 1)
    work.note("resize", width=work.target[0], height=work.target[1], mode="bicubic, widened")


def _finish(work: _Work, step: presets.Finish) -> None:
    mode, first = str(work.rng.choice(_MODES)), bool(work.rng.random() < 0.5)
    ring = bool(work.rng.random() < step.sinc)
    for part in ("size", "jpeg") if first else ("jpeg", "size"):
        if part == "jpeg":
            work.jpeg(step.quality)
            continue
        work.resize(work.target, mode)
        if ring:
            work.sinc(lowest=np.pi / 3)


_STEPS: Final[dict[type, Callable[[_Work, Any], None]]] = {
    presets.Blur: _blur,
    presets.Resize: _resize,
    presets.Noise: _noise,
    presets.Jpeg: _jpeg,
    presets.Codec: _codec,
    presets.Downscale: _downscale,
    presets.Finish: _finish,
}
