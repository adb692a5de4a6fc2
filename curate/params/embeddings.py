"""`embeddings`: vectors of images and of objects."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class EmbeddingsParams(Section):
    """Vectors of images, for the map, similarity, and what is chosen; off unless a model is named."""

    model: str | None = Field(
        None,
        description="image encoder: Hub id, folder, .pth file or a public file's name; null = no vectors",
    )
    kind: Literal["transformers", "torchvision"] = Field(
        "transformers", description="adapter that loads the weights"
    )
    revision: str = Field("main", description="Hub revision; ignored for a local path")
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="of the weights file; others are refused; null = not checked",
    )
    build: str | None = Field(
        None,
        description="torchvision only: architecture, such as resnet50; null = as the file's public name says",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="auto = cuda, mps or cpu, in that order"
    )
    batch_size: int = Field(0, ge=0, le=4096, description="images per forward pass; 0 = found automatically")
    images: Literal["kept", "all"] = Field(
        "kept", description="which have a vector; all = those that dedupe dropped too"
    )
    objects: Literal["none", "suggestions", "consensus"] = Field(
        "none", description="whose crops have a vector too; consensus = of the last run of agreement"
    )
    neighbors: int = Field(
        10, ge=1, le=1000, description="nearest objects, among which those of another category are counted"
    )
    max_split_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="cosine; released images of different splits that are more alike leak; null = not asked",
    )
    workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="processes with a model; 0 = one per GPU, or one per core as memory allows",
    )
    max_pixels: int = Field(100_000_000, ge=1, description="per image; larger ones are not read, and fail")
    max_failures: int = Field(100, ge=0, description="images; with more than so many the stage stops")
    shard_size: int = Field(64, ge=1, le=100_000, description="images; what a killed run repeats at most")
