"""`upscale`: which models make images larger, and in which tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from curate.params.section import Section

BICUBIC = "bicubic"  # in the place of a file of weights: no model, but what each model is compared with


class DiffusionParams(Section):
    """How a diffusion upscaler draws what was not there; other models have no such settings."""

    prompt: str = Field("", description="what the images show, in words; empty = the model is not guided")
    steps: int = Field(75, ge=1, le=1000, description="of denoising; each takes the same time")
    guidance: float = Field(9.0, ge=1, le=50, description="weight of the prompt")
    noise_level: int = Field(
        20, ge=0, le=350, description="noise that is added to the image first: more = more is invented"
    )
    seed: int = Field(0, ge=0, description="of the noise, the same for each tile")


class UpscaleParams(Section):
    """Which models make images larger, and in which tiles; the license of their weights is on each row."""

    models: dict[str, str] = Field(
        default_factory=lambda: {BICUBIC: BICUBIC},
        description="files of weights by the name that you give them: .pth and .safetensors (what spandrel "
        "recognizes), .param of ncnn with its .bin beside it, .onnx, a folder of diffusers; bicubic = no "
        "model",
    )
    licenses: dict[str, str] = Field(
        default_factory=dict,
        description="license of the weights by the same name, an identifier the Hub knows; weights that are "
        "published under one name everywhere need none",
    )
    commercial_use: tuple[str, ...] = Field(
        (),
        description="models whose license is `other` and, as you have read in it, allows commercial use; "
        "without that they go into no release that allows it",
    )
    scale: int = Field(4, ge=1, le=16, description="factor of bicubic, and the one that all models must have")
    tile: int = Field(256, ge=64, le=8192, description="pixels of a side that a model sees at once")
    overlap: int = Field(
        32, ge=0, le=1024, description="pixels that neighboring tiles share; of these each keeps half"
    )
    fit: str | None = Field(
        None,
        pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$",
        description="width x height in pixels that results must fit into, such as 2000x2000; null = as large "
        "as the model makes them",
    )
    png_level: int = Field(4, ge=0, le=9, description="zlib level of the results: 0 = fast, 9 = small")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where the models run")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "float32", description="of the models; auto = 16 bits on a GPU"
    )
    workers: int = Field(
        0, ge=0, le=1024, description="processes with a model each; 0 = as cores and memory go"
    )
    diffusion: DiffusionParams = Field(default_factory=DiffusionParams)
    max_pixels: int = Field(200_000_000, ge=1, description="larger images are not read")
    max_failures: int = Field(100, ge=0, description="images that may fail before the run ends")

    @model_validator(mode="after")
    def _fits(self) -> UpscaleParams:
        if self.overlap > self.tile // 2:
            raise ValueError(f"overlap {self.overlap} is more than half of tile {self.tile}: lower it")
        for names, where in ((self.licenses, "licenses"), (self.commercial_use, "commercial_use")):
            unknown = [name for name in names if name not in self.models]
            if unknown:
                raise ValueError(f"{where} names {unknown[0]}, which is not among models")
        for name in self.models:
            if Path(name).name != name or name.startswith("."):
                raise ValueError(f"model name {name!r} is no name of a folder")
        given = self.models.get(BICUBIC, BICUBIC)
        if given != BICUBIC:  # else all models would be compared with these weights
            raise ValueError(f"name {BICUBIC} stands for no weights: call {given} otherwise")
        return self
