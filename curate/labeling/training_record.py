"""How a detector was trained, and on which images: training.json and trained_on.csv beside its weights."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from curate.errors import ModelError
from curate.params import DetectorParams

NAME: Final = "training.json"
IMAGES: Final = "trained_on.csv"


class DetectorBefore(BaseModel):
    """The detector of params.yaml when the training began, and the thresholds of taxonomy.yaml then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: DetectorParams
    thresholds: Mapping[str, float]


class TrainingRecord(BaseModel):
    """The content of training.json.

    Attributes:
        record_version: Of this file's layout.
        name: Of the release.
        version: Of the release.
        digest: Of the release's content.
        format: In which it was handed over.
        command: As it was given.
        files: sha256 by path of the files that the command names.
        seed: Handed to the command as {seed} and CURATE_SEED.
        images: Number of images handed over, by split.
        held_back: Number of images that were not, by reason.
        image_licenses: Number of images handed over, by license.
        data_license: Of the release's annotations.
        license: Of the checkpoint, as the user states it; None = not stated.
        git_commit: Of the project; None = it is in no repository.
        git_changed: Files of the repository differed from that commit.
        started_at: UTC, ISO 8601.
        seconds: That the command took.
        weights: sha256 by path of every file that the command wrote.
        detector: The checkpoint was loaded as `autolabel.detector`.
        before: What it takes the place of; None outside a project.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    record_version: Literal[1] = 1
    name: str
    version: str
    digest: str
    format: str
    command: str
    files: Mapping[str, str]
    seed: int
    images: Mapping[str, int]
    held_back: Mapping[str, int]
    image_licenses: Mapping[str, int]
    data_license: str
    license: str | None
    git_commit: str | None
    git_changed: bool
    started_at: str
    seconds: float
    weights: Mapping[str, str]
    detector: bool
    before: DetectorBefore | None

    def write(self, folder: Path, handed_over: Mapping[str, str], seen_before: Mapping[str, str]) -> None:
        """Write both files into a folder that nobody reads yet.

        Args:
            folder: The checkpoint's.
            handed_over: Split by image_id of each image that was handed over.
            seen_before: The same of those that a checkpoint saw on which this training builds.
        """
        (folder / NAME).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        with (folder / IMAGES).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("image_id", "split", "handed_over"))
            every = {**seen_before, **handed_over}
            writer.writerows(
                (image_id, split, "yes" if image_id in handed_over else "no")
                for image_id, split in sorted(every.items())
            )


def read(folder: Path) -> TrainingRecord | None:
    """The record of a checkpoint; None where the folder has none: it was not trained by `curate train`.

    Raises:
        ModelError: It is damaged.
    """
    path = folder.expanduser() / NAME
    try:
        return TrainingRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        line = str(error).splitlines()[0]
        raise ModelError(
            f"{path} is damaged ({line}): restore it, or train again into another folder"
        ) from error


def folder_of(checkpoint: Path) -> Path | None:
    """Folder of a checkpoint's record: its own, or the nearest one above that has a record.

    A trainer may write more than one into its folder, such as `checkpoint-500` or `weights/best.pt`.

    Args:
        checkpoint: A file or folder, or a link to one; `~` is the user's home. Folders that we stand in are
            not looked into.

    Returns:
        None where there is no record: it was not trained by `curate train`.
    """
    here = Path.cwd()
    try:
        own = checkpoint.expanduser()
        target = own.resolve()  # where a link leads to, before where it stands
        for walk in ((own,), (target, *target.parents), own.absolute().parents):
            for folder in walk:
                if here.is_relative_to(folder):
                    break
                if (folder / NAME).is_file():
                    return folder
    except (OSError, RuntimeError):  # too long to be a name, a link to itself, nobody's home
        return None
    return None


def trained_on(checkpoint: Path, *, here: bool = False) -> dict[str, str]:
    """The split of each image that a checkpoint's training saw, by image_id; empty without a record.

    Args:
        checkpoint: As for `folder_of`.
        here: Without what was seen by the checkpoint on which this training built.

    Raises:
        ModelError: There is a training.json, and the list of its images is missing or damaged.
    """
    folder = folder_of(checkpoint)
    if folder is None or read(folder) is None:
        return {}
    path = folder / IMAGES
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
            return {
                row["image_id"]: row["split"]
                for row in rows
                if not here or row.get("handed_over", "yes") == "yes"
            }
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(
            f"{path} is missing or damaged: without it nobody knows which images the model has seen; restore "
            "it, or train again into another folder"
        ) from error
