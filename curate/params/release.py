"""`release` and `publish`: what is released, and where it goes."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from curate.params.augment import AugmentParams
from curate.params.licenses import HUB_LICENSES
from curate.params.section import Section

# Source: huggingface_hub's validate_repo_id: no "--", no "..", no separator at an end of a part, no ".git"
_PART = r"[A-Za-z0-9_](?:(?!--|\.\.)[\w.-]){0,94}(?<![.-])"
_REPO = re.compile(rf"{_PART}/{_PART}(?<!\.git)", re.ASCII)

_SOURCE_DATASET = re.compile(r"original|extended(\|[\w./-]+)?|[\w.-]+(/[\w.-]+)?", re.ASCII)


class ReleaseParams(Section):
    """What is released."""

    name: str = Field(
        "curated-dataset",
        max_length=96,
        pattern=r"^\w([\w .-]*\w)?$",
        description="dataset name, in the card and in the name of a published folder",
    )
    version: str = Field(
        "auto",
        pattern=r"^(auto|\d+\.\d+\.\d+)$",
        description="semantic version; auto = from what changed since the last one that was published",
    )
    license: str = Field("other", description="license of the annotations, an identifier the Hub knows")
    license_name: str | None = Field(None, description="with license: other, what the license is called")
    license_link: str | None = Field(None, description="with license: other, where its text stands")
    description: Path | None = Field(
        None,
        description="Markdown file that opens the card: what the data is for, and what not",
    )
    annotators: Literal["crowdsourced", "expert-generated", "other"] | None = Field(
        None, description="who the labelers are, in the Hub's words; null = the card does not say"
    )
    language: tuple[str, ...] = Field(
        (), description="codes of the languages of texts in the data, such as en"
    )
    source_datasets: tuple[str, ...] = Field(
        (),
        description="original, or data sets that the pictures come from, such as extended|coco, for the card",
    )
    citation: Path | None = Field(None, description="file that says how to cite the data set")
    contact: str = Field("", description="whom to write to about the data set; stands in the card")
    validation_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    test_share: float = Field(0.15, ge=0, lt=1, description="share of images")
    seed: int = Field(0, ge=0, description="of the split of images that have none yet")
    keep_splits: bool = Field(
        True, description="true = an image never changes its split; false = all are drawn anew"
    )
    group_by: tuple[str, ...] = Field(
        (),
        description="attributes, such as scene, camera, patient or video, whose images share a split",
    )
    split_attribute: str | None = Field(
        "split", description="attribute that names the split that a source gave an image; null = none does"
    )
    split_conflicts: Literal["refuse", "move"] = Field(
        "refuse",
        description="images that belong together and have several splits: move = all to that of most",
    )
    captured_at: bool = Field(
        False, description="true = the time at which each picture was taken is released"
    )
    allow_failed_gates: dict[str, str] = Field(
        default_factory=dict, description="gates that may fail, each with the reason that the card states"
    )
    row_group_size: int = Field(100, ge=1, le=10_000, description="images per Parquet row group")
    augment: AugmentParams = Field(default_factory=AugmentParams)

    @field_validator("license")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in HUB_LICENSES:
            return value
        near = difflib.get_close_matches(value.lower(), HUB_LICENSES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "known are cc0-1.0, cc-by-4.0, odbl and others"
        raise ValueError(f"no license that the Hub knows; {hint} (other = say in the description which)")

    @field_validator("source_datasets")
    @classmethod
    def _as_the_hub_says(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _SOURCE_DATASET.fullmatch(name):
                raise ValueError(f"{name!r} is neither original, nor owner/name, nor extended|name")
        return value

    @field_validator("allow_failed_gates")
    @classmethod
    def _with_reasons(cls, value: dict[str, str]) -> dict[str, str]:
        for name, why in value.items():
            if not why.strip():
                raise ValueError(f"{name} may fail for no reason: say why, the card states it")
        return value


class PublishParams(Section):
    """Where it goes."""

    target: Literal["folder", "archive", "hub", "s3", "kaggle"] = Field(
        "folder",
        description="folder = a copy on disk; archive = one .tar.zst; hub = Hugging Face Hub; s3 = a bucket; "
        "kaggle",
    )
    folder: Path = Field(Path("data/published"), description="targets folder and archive: where")
    repo: str | None = Field(None, validate_default=True, description="targets hub and kaggle: owner/name")
    url: str | None = Field(
        None, validate_default=True, description="target s3: s3://bucket/prefix, or another that fsspec knows"
    )
    confirm: bool | None = Field(
        None, description="true = `curate publish` must be called; null = for targets hub, s3 and kaggle only"
    )
    edited_readme: Literal["refuse", "keep", "replace"] = Field(
        "refuse", description="target hub: what becomes of a README that somebody edited there"
    )
    private: bool = Field(
        True,
        description="targets hub and kaggle: true = a new repository is private, one that is public refused",
    )
    gated: Literal["auto", "manual"] | None = Field(
        None,
        description="target hub: who may read a new repository; auto = whoever asks, manual = who is let in",
    )

    @field_validator("repo")
    @classmethod
    def _owner_and_name(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and (target := info.data.get("target")) in ("hub", "kaggle"):
            raise ValueError(f"target {target} needs the repository: owner/name")
        if value is not None and not _REPO.fullmatch(value):
            raise ValueError("no repository: expected owner/name, of letters, digits, '-', '_' and '.'")
        return value

    @field_validator("url")
    @classmethod
    def _protocol(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("target") == "s3":
            raise ValueError("target s3 needs the address: s3://bucket/prefix")
        if value is not None and "://" not in value:
            raise ValueError("no address: expected s3://bucket/prefix")
        return value

    @property
    def waits(self) -> bool:
        """Whether a person must say the word before anything is published."""
        return self.target in ("hub", "s3", "kaggle") if self.confirm is None else self.confirm
