"""`release` and `publish`: what is released, and where it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.section import Section


class ReleaseParams(Section):
    """What is released."""

    name: str = Field("curated-dataset", min_length=1, max_length=96, description="dataset name, in the card")
    version: str = Field("0.1.0", pattern=r"^\d+\.\d+\.\d+$", description="semantic version")
    license: str = Field("other", description="licence of the annotations, an identifier the Hub knows")
    description: Path | None = Field(None, description="Markdown file that opens the card")
    validation_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    test_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    seed: int = Field(0, ge=0, description="of the split")
    row_group_size: int = Field(100, ge=1, le=10_000, description="images a Parquet row group")


class PublishParams(Section):
    """Where it goes."""

    target: Literal["folder", "hub"] = Field(
        "folder", description="folder = a copy on disk; hub = Hugging Face Hub"
    )
    folder: Path = Field(Path("data/published"), description="target folder")
    repo: str | None = Field(None, description="target hub: owner/name")
    private: bool = Field(True, description="target hub: visibility of a new repository")
