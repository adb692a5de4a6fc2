"""Labels that sources.yaml names, beside the images: which files, and what they become.

    labels:
      - file: annotations/anna.json   # relative to this file
        as: answers                   # suggestions, answers or gold
        annotator: anna

`curate import` without a file imports them all; docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from curate.yamlfile import load_model


class LabelEntry(BaseModel):
    """Entry of `labels`: a file of labels, and what its rows become."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    file: str = Field(min_length=1)
    become: Literal["suggestions", "answers", "gold"] = Field(alias="as")
    annotator: str | None = None
    frame: Literal["stored", "upright"] = "upright"
    match: Literal["path", "name", "id"] = "path"
    format: str | None = None
    field: str | None = None
    categories: Mapping[str, str] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # the sources are checked where they are read

    labels: tuple[LabelEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A file of labels, and what is said of it."""

    path: Path
    entry: LabelEntry


def load(listing: Path) -> list[LabelFile]:
    """The label files that a list of sources names, in its order.

    Raises:
        ParamsError: The list is missing or malformed, with its line.
    """
    entries = load_model(listing, _File).labels
    return [LabelFile(listing.parent / entry.file, entry) for entry in entries]
