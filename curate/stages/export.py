"""A release in a format that a trainer or an annotation tool reads."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from curate import formats, tables
from curate.errors import InputError, ReleaseError
from curate.formats import huggingface
from curate.formats.dataset_info import REPORT, About
from curate.formats.image_files import ImageFiles
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage
from curate.progress import track
from curate.records import StageReport
from curate.release import kaggle, manifest
from curate.release.augmented_copies import CONFIG
from curate.release.manifest import Manifest

KAGGLE: Final = "kaggle"  # no codec: the release itself, and what Kaggle wants to know of it


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what the format could not hold."""

    report: StageReport
    lost: str

    def line(self) -> str:
        """Closing line of the export."""
        return f"{self.report.line()}; {self.lost}"


def run(
    format: str,
    release: Path,
    out: Path,
    *,
    splits: Sequence[str] = (),
    without: Collection[str] = (),
    images: Path | None = None,
    url: str = "",
    whole: bool = True,
) -> Exported:
    """Write a release folder as another format, with export.json, which counts what was lost.

    Args:
        format: One of `formats.WRITERS`, or `KAGGLE`.
        release: The folder.
        out: Must not exist, or be empty; appears whole or not at all.
        splits: Only these; all by default.
        without: image_ids that are left out.
        images: A folder with image files; of the same name and bytes they are linked, not written again.
        url: What stands before the places of image files in formats that name them by address; of Kaggle the
            data set, owner/name.
        whole: False = only the data came here; other files are not held against release.json.

    Raises:
        InputError: An unknown format or split, or `out` holds something.
        ReleaseError: The folder is no release, or was changed since it was made.
        StorageError: The disk is full or refuses.
    """
    known = {*formats.WRITERS, KAGGLE}
    if format not in known:
        raise InputError(f"format {format!r} is not known: choose {', '.join(sorted(known))}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty: choose another folder with -o, or empty it")
    facts = manifest.read(release)
    damaged = [name for name in manifest.damaged_files(release, facts) if whole or name.startswith("data/")]
    if damaged:
        raise ReleaseError(f"{release / damaged[0]} is not what release.json says: make the release again")
    if format == KAGGLE:
        return _for_kaggle(release, facts, out, splits=splits, repo=url, whole=whole)
    labels = huggingface.read(release, splits=splits, verified=True)
    about = About(labels.categories, facts.name, facts.version, digest=facts.digest, url=url)
    total = sum(number for split, number in facts.images.items() if not splits or split in splits)
    with tables.new_folder(out) as partial:
        files = ImageFiles(partial, images)
        losses = formats.WRITERS[format](
            partial,
            _without(track(labels.images, total=total, label="export, images"), frozenset(without)),
            about,
            files,
        )
        if labels.problems:
            raise ReleaseError(f"{release}: {labels.problems[0].detail}: make the release again")
        copies = sum(pq.read_metadata(path).num_rows for path in release.glob(f"{CONFIG}/*.parquet"))
        document = {"format": format, **_document(facts, splits, losses, files, copies)}
        (partial / REPORT).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    counts = (("images", losses.images), ("objects", losses.objects))
    linked = (("linked", files.linked),) if files.linked else ()
    return Exported(StageReport(f"export to {format}", counts, this_run=linked), losses.sentence())


def _without(images: Iterable[LabeledImage], without: frozenset[str]) -> Iterator[LabeledImage]:
    return (image for image in images if image.image_id not in without)


def _for_kaggle(
    release: Path, facts: Manifest, out: Path, *, splits: Sequence[str], repo: str, whole: bool
) -> Exported:
    if splits or not whole:
        raise InputError("format kaggle is a whole release: leave --split out, and name a folder")
    files = kaggle.write_folder(release, out, repo)
    counts = (
        ("images", sum(facts.images.values())),
        ("objects", sum(facts.objects.values())),
        ("files", files),
    )
    return Exported(StageReport("export to kaggle", counts), Losses().sentence())


def _document(
    facts: Manifest, splits: Sequence[str], losses: Losses, files: ImageFiles, copies: int
) -> dict[str, Any]:
    losses.add("file names, which another image had", files.renamed)
    losses.add("augmented copies of training images", copies)
    return {
        "name": facts.name,
        "version": facts.version,
        "digest": facts.digest,
        "splits": list(splits) or [split for split, number in facts.images.items() if number],
        "images": losses.images,
        "objects": losses.objects,
        "lost": dict(losses.counts.most_common()),
    }
