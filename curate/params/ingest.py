"""`ingest`: which files become images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from curate.params.section import Section


class IngestParams(Section):
    """Which files become images."""

    raw: Path | None = Field(
        Path("data/raw"), description="folder tree of raw images; null = only what `sources` names"
    )
    sources: str | None = Field(
        None,
        validate_default=True,
        description="file in `raw` (in the project, if that is null) that lists sources with license and "
        "attribution; null = one source",
    )
    mode: Literal["reference", "copy"] = Field(
        "reference", description="reference = share blocks with raw files or the cache; copy = own bytes"
    )
    verify: bool = Field(False, description="true = read unchanged files again and compare their bytes")
    frames: Literal["first", "all", "drop"] = Field(
        "first", description="of animations and files of several pages: the first, all, or drop the file"
    )
    min_side: int = Field(64, ge=1, le=100_000, description="pixels; a shorter upright side drops the image")
    max_pixels: int = Field(
        100_000_000,
        ge=1,
        le=2_000_000_000,
        description="pixels; larger files are dropped before they are decoded",
    )
    max_bytes: int = Field(1 << 30, ge=1, description="bytes; larger files are not decoded")
    max_aspect: float = Field(8.0, ge=1, le=1000, description="ratio; longer side over shorter side")
    jpeg_quality: int = Field(
        95, ge=1, le=100, description="of upright copies of JPEGs that are turned, gray or of other colors"
    )
    lossless: Literal["png"] | None = Field(
        None, description="png = such copies are PNGs, which lose nothing; null = JPEGs of `jpeg_quality`"
    )
    retries: int = Field(3, ge=0, le=100, description="of a failed download, with growing pauses")
    schemes: tuple[str, ...] = Field(
        ("http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"),
        description="of URLs that sources and lists may name; any that fsspec knows can be added",
    )
    private_addresses: bool = Field(
        False, description="true = URLs in lists and redirects may lead to private and loopback addresses"
    )
    timeout_s: float = Field(60.0, gt=0, description="seconds a download may stand still")

    @field_validator("sources")
    @classmethod
    def _something_is_named(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "raw" in info.data and info.data["raw"] is None:
            raise ValueError("ingest.raw is null too: name a folder there, or a list of sources here")
        return value
