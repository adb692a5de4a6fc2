"""What is done to a clean image: presets as lists of steps with ranges, the published ones and the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from curate.errors import ParamsError
from curate.yamlfile import load_model

Kernel = Literal["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
Share = Annotated[float, Field(ge=0, le=1)]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    probability: Share = 1.0


class _Range(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> _Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is more than high {self.high}")
        return self


def _within(min_value: float, max_value: float) -> AfterValidator:
    """A range with its ends in [least, most]: beyond, a codec takes another value than the recipe states."""

    def check(given: _Range) -> _Range:
        if given.low < min_value or given.high > max_value:
            raise ValueError(f"expected {min_value:g} to {max_value:g}, not {given.low:g} to {given.high:g}")
        return given

    return AfterValidator(check)


# Draws are rounded to 6 decimals: what may be as little as nothing has a bound above 0.
Sigma = Annotated[_Range, _within(0.01, 100)]  # of a blur, pixels
Shape = Annotated[_Range, _within(0.01, 100)]  # exponent of a generalized or plateau kernel
Factors = Annotated[_Range, _within(0.01, 16)]
Level = Annotated[_Range, _within(0, 255)]  # of noise
Quality = Annotated[_Range, _within(1, 100)]  # of JPEG
Crf = Annotated[_Range, _within(0, 51)]  # of H.264 and HEVC


class Blur(_Step):
    """A Gaussian-like kernel of 7 to 21 pixels, or a sinc filter.

    Half of the shapes `generalized` and `plateau` are drawn from low to 1, half from 1 to high; where 1 is
    outside, all from low to high.
    """

    step: Literal["blur"]
    kernels: dict[Kernel, Share] = Field({"iso": 1.0}, min_length=1)
    sigma: Sigma
    generalized: Shape = _Range(low=0.5, high=4)
    plateau: Shape = _Range(low=1, high=2)
    sinc: Share = 0.0

    @model_validator(mode="after")
    def _has_a_kernel(self) -> Blur:
        if not sum(self.kernels.values()):
            raise ValueError("kernels: all shares are 0, so that there is none to draw")
        return self


class Resize(_Step):
    """Larger, smaller or as it is, by shares; factors are of the size it has, or of that of the pair.

    Larger draws from 1 to high, smaller from low to 1.
    """

    step: Literal["resize"]
    up: Share
    down: Share
    factors: Factors
    of: Literal["current", "target"] = "current"

    @model_validator(mode="after")
    def _draws_what_it_says(self) -> Resize:
        if self.up + self.down > 1 + 1e-9:
            raise ValueError(f"up {self.up} and down {self.down} are shares of more than 1 together")
        if not self.factors.low <= 1 <= self.factors.high:
            raise ValueError("factors: up draws from 1 to high, down from low to 1, so low <= 1 <= high")
        return self


class Noise(_Step):
    """Gaussian noise of a sigma in levels of 255, or Poisson noise of a scale; gray = alike in all planes."""

    step: Literal["noise"]
    gaussian: Share
    sigma: Level
    poisson: Level
    gray: Share


class Jpeg(_Step):
    """JPEG of a quality."""

    step: Literal["jpeg"]
    quality: Quality


class Codec(_Step):
    """One frame of a video."""

    step: Literal["codec"]
    codecs: tuple[Literal["h264", "hevc"], ...] = Field(min_length=1)
    crf: Crf


class Downscale(_Step):
    """Step to the size of the pair, with a bicubic kernel that is widened (as MATLAB's imresize)."""

    step: Literal["downscale"]


class Finish(_Step):
    """Step to the size of the pair with a sinc filter, and JPEG: in either order."""

    step: Literal["finish"]
    sinc: Share
    quality: Quality


AnyStep = Annotated[Blur | Resize | Noise | Jpeg | Codec | Downscale | Finish, Field(discriminator="step")]


class Preset(BaseModel):
    """Steps in their order; after the last one an image that has not the size of the pair is made so."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    steps: tuple[AnyStep, ...] = Field(min_length=1)


class PresetFile(BaseModel):
    """A YAML file of the user's: presets by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    presets: dict[str, Preset]


def _range(low: float, high: float) -> _Range:
    return _Range(low=low, high=high)


_KERNELS: Final[dict[Kernel, float]] = {
    "iso": 0.45,
    "aniso": 0.25,
    "generalized_iso": 0.12,
    "generalized_aniso": 0.03,
    "plateau_iso": 0.12,
    "plateau_aniso": 0.03,
}
# Source: Wang, Xie, Dong and Shan, Real-ESRGAN (ICCVW 2021), with the ranges that the authors published for
# training x4plus (options/train_realesrgan_x4plus.yml), drawn as their code draws (realesrgan_model.py,
# realesrgan_dataset.py; BasicSR's degradations.py). Their sharpening of the clean image is no part of it.
_REAL_ESRGAN: Final[tuple[AnyStep, ...]] = (
    Blur(step="blur", kernels=_KERNELS, sigma=_range(0.2, 3), sinc=0.1),
    Resize(step="resize", up=0.2, down=0.7, factors=_range(0.15, 1.5)),
    Noise(step="noise", gaussian=0.5, sigma=_range(1, 30), poisson=_range(0.05, 3), gray=0.4),
    Jpeg(step="jpeg", quality=_range(30, 95)),
    Blur(step="blur", probability=0.8, kernels=_KERNELS, sigma=_range(0.2, 1.5), sinc=0.1),
    Resize(step="resize", up=0.3, down=0.4, factors=_range(0.3, 1.2), of="target"),
    Noise(step="noise", gaussian=0.5, sigma=_range(1, 25), poisson=_range(0.05, 2.5), gray=0.4),
    Finish(step="finish", sinc=0.8, quality=_range(30, 95)),
)
_CLASSICAL: Final[tuple[AnyStep, ...]] = (Downscale(step="downscale"),)
_VIDEO: Final[tuple[AnyStep, ...]] = (
    Blur(step="blur", probability=0.5, sigma=_range(0.2, 1)),
    Downscale(step="downscale"),
    Noise(step="noise", probability=0.5, gaussian=1, sigma=_range(1, 8), poisson=_range(0.05, 1), gray=0.6),
    Codec(step="codec", codecs=("h264", "hevc"), crf=_range(20, 36)),
)
BUILT_IN: Final[dict[str, Preset]] = {
    "real_esrgan": Preset(steps=_REAL_ESRGAN),
    "classical": Preset(steps=_CLASSICAL),
    "video": Preset(steps=_VIDEO),
}


def find(name: str, file: Path | None) -> Preset:
    """A preset by name: one of the user's file, or one that is built in.

    Raises:
        ParamsError: There is none, the file is wrong, or it redefines one that is built in.
    """
    own = load_model(file, PresetFile).presets if file is not None else {}
    taken = sorted(set(own) & set(BUILT_IN))
    if taken:
        raise ParamsError(f"{file}: {taken[0]} is the name of a preset that is built in: choose another")
    known = {**BUILT_IN, **own}
    if name not in known:
        raise ParamsError(f"pairs.preset = {name!r} is none of {', '.join(sorted(known))}")
    return known[name]
