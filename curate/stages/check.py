"""`curate check`: ingest and dedupe run over a data set in a scratch folder, and what they show is read.

Nothing of the data set is changed, and no project is needed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from curate.check import (
    class_findings,
    contradicted_labels,
    image_class_findings,
    image_findings,
    ingested_image,
    label_findings,
)
from curate.check.dataset import CLASSES, IMAGES, DataSet, open_dataset
from curate.check.finding import KINDS, Checked, Findings, Row
from curate.check.ingested_image import SOURCE, SeenImage
from curate.dedupe.feature_index import MANIFEST
from curate.errors import InputError
from curate.params import DedupeParams, IngestParams
from curate.ports import Engine
from curate.stages import build_index, dedupe, ingest, leakage
from curate.stages.split_leaks import Search
from curate.system import printable

_DEDUPE = DedupeParams()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Data sets that are checked.

    Attributes:
        path: A folder of images, or a file or folder of labels.
        format: Of the labels; None = what stands there tells.
        images: Folder of the image files, where it is not the one of the labels.
        against: Another data set, or an index of one (`curate dedupe index`), that must share no picture.
        name: What the user calls the data set; empty = its path.
        predictions: A model's objects on the same images, with scores, in any format that is read.
        field: Of FiftyOne, which labels of a sample `path` means; None = people's.
    """

    path: Path
    format: str | None = None
    images: Path | None = None
    against: Path | None = None
    name: str = ""
    predictions: Path | None = None
    field: str | None = None


def run(inputs: Inputs, *, scratch: Path, engine: Engine, batch_size: int = 64) -> Checked:
    """Check a data set.

    Args:
        inputs: What is checked.
        scratch: A folder that stays until the pictures of the result are no longer needed; what was read
            before is read from there the next time.
        engine: Decodes and hashes.
        batch_size: Images that a worker takes at a time.

    Raises:
        InputError: Nothing is there, no image that decodes, or labels that no reader opens.
        StorageError: The disk is full or refuses.
    """
    dataset = open_dataset(
        inputs.path,
        format=inputs.format,
        images=inputs.images,
        scratch=scratch / "extracted",
        field=inputs.field,
    )
    place = _Place(scratch / "own", engine, batch_size)
    place.ingest(dataset)
    place.dedupe()
    seen = ingested_image.read(place.table, dataset)
    findings = Findings()
    findings.extend(dataset.unread)
    findings.extend(image_findings.find(seen, dataset))
    splits = {split for one in seen for split in one.splits}
    if len(splits) > 1:
        findings.extend(image_findings.split_leaks(seen, place.pairs(seen), dataset))
    if inputs.against is not None:
        findings.extend(_against(inputs.against, place, scratch, seen, dataset))
    labeled = _labels(dataset, seen, findings)
    if inputs.predictions is not None:
        findings.extend(_contradicted(inputs.predictions, dataset, seen, scratch))
    has = {"images": True, "splits": len(splits) > 1, "labels": dataset.format != IMAGES}
    has |= {"classes": dataset.format == CLASSES, "objects": dataset.format not in (IMAGES, CLASSES)}
    has |= {"other set": inputs.against is not None, "predictions": inputs.predictions is not None}
    told = findings.all()
    sorts = {one.name for one in told}
    return Checked(
        path=inputs.name or printable(inputs.path),
        format=dataset.format,
        images=len(dataset.files),
        objects=labeled,
        splits={
            split: sum(split in dataset.splits[one] for one in dataset.files) for split in sorted(splits)
        },
        looked_for=tuple(name for name, kind in KINDS.items() if has[kind.needs] or name in sorts),
        findings=tuple(told),
        pictures={
            one: Path(image.row["path"]) for image in seen if image.row["path"] for one in image.places
        },
    )


def _labels(dataset: DataSet, seen: list[SeenImage], findings: Findings) -> int:
    """Look at the labels; the number of objects, or of images that have a class."""
    if dataset.format == CLASSES:
        classes = image_class_findings.read(dataset)
        findings.extend(image_class_findings.find(classes, seen, dataset))
        return len(classes.by_place)
    labels = label_findings.LabelCheck(dataset, label_findings.by_place(seen), findings)
    if dataset.format != IMAGES:
        labels.run()
        findings.extend(class_findings.find(labels.categories, labels.counts, labels.labeled))
    return labels.objects


def _contradicted(
    path: Path, dataset: DataSet, seen: list[SeenImage], scratch: Path
) -> Iterator[tuple[str, Row]]:
    """Labels that a model's predictions contradict."""
    predictions = open_dataset(
        path, format=None, images=dataset.root, scratch=scratch / "predicted", suggestions=True
    )
    for name, row in predictions.unread:
        if name == "damaged":
            raise InputError(f"{row.file} cannot be read: {row.detail}")
    for made in (dataset, predictions):
        if made.format in (IMAGES, CLASSES):
            raise InputError(f"{made.path} holds no objects: predictions are held against labels")
    return contradicted_labels.find(dataset, predictions, label_findings.by_place(seen))


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder in which the stages leave their tables."""

    folder: Path
    engine: Engine
    batch_size: int

    @property
    def table(self) -> Path:
        """The images table after dedupe."""
        return self.folder / "kept.parquet"

    @property
    def index(self) -> Path:
        """Features of the images."""
        return self.folder / "index"

    def ingest(self, dataset: DataSet) -> Path:
        """Decode every file of the data set; the images table."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listing, sources = self.folder / "files.txt", self.folder / "sources.yaml"
        listing.write_bytes(b"".join(_line(file) for file in dataset.files.values()))
        sources.write_text(yaml.safe_dump({"sources": [{"name": SOURCE, "list": str(listing.absolute())}]}))
        found = self.folder / "images.parquet"
        try:
            self._ingest(found, sources)
        except InputError as error:  # it names the list, which the user never saw
            raise InputError(str(error).replace(str(sources.absolute()), str(dataset.path))) from error
        return found

    def _ingest(self, found: Path, sources: Path) -> None:
        ingest.run(
            IngestParams(raw=None, sources=str(sources.absolute()), min_side=1, max_aspect=1000),
            inputs=ingest.Inputs(raw=None),
            outputs=ingest.Outputs(
                found,
                (self.folder / "images").absolute(),
                self.folder / "ledger.sqlite",
                self.folder / "remote",
            ),
            ports=ingest.Ports(self.engine, self.batch_size),
        )

    def dedupe(self) -> None:
        """Hash and group them."""
        dedupe.run(
            _DEDUPE,
            inputs=dedupe.Inputs(self.folder / "images.parquet"),
            outputs=dedupe.Outputs(self.table, self.folder / "plot.csv", self.index),
            ports=dedupe.Ports(self.engine, batch_size=self.batch_size, say=lambda _: None),
        )

    def pairs(self, seen: list[SeenImage]) -> list[tuple[str, str, str]]:
        """image_ids of all images that show one picture, and how."""
        search = Search(_DEDUPE, self.index, self.engine, self.batch_size)
        return search.pairs(self.folder / "images.parquet", {one.image_id for one in seen if one.decoded})


def _line(file: Path) -> bytes:
    name = os.fsencode(file)
    if b"\n" in name or b"\r" in name:
        raise InputError(f"{file!r} has a line break in its name: rename it")
    return name + b"\n"


def _against(
    other: Path, own: _Place, scratch: Path, seen: list[SeenImage], dataset: DataSet
) -> Iterator[tuple[str, Row]]:
    """Pictures that another data set holds too."""
    named: dict[str, str] = {}
    base, theirs = other, None
    if not any(other.glob(f"*/{MANIFEST}")):  # no index
        place = _Place(scratch / "other", own.engine, own.batch_size)
        opened = open_dataset(other, format=None, images=None, scratch=scratch / "other-extracted")
        base, theirs = place.index, place.ingest(opened)
        ports = build_index.Ports(own.engine, lambda _: None, own.batch_size)
        build_index.run(_DEDUPE, source=theirs, out=base, ports=ports)
        known = ingested_image.read(theirs, opened)
        named = {one.image_id: one.places[0] for one in known}
        yield from _not_compared(other, opened, known)
    leaks = scratch / "leaks.csv"
    leakage.run(
        _DEDUPE,
        inputs=leakage.Inputs(own.folder / "images.parquet", base, theirs),
        outputs=leakage.Outputs(leaks, own.index),
        ports=leakage.Ports(own.engine, own.batch_size),
    )
    by_id = {one.image_id: one for one in seen}
    with leaks.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            there = named.get(row["other_id"], row["other_place"])
            for place_here in by_id[row["image_id"]].places:
                splits = tuple(sorted(dataset.splits[place_here]))
                yield "leak_against", Row((place_here, there), splits, detail=row["relation"])


def _not_compared(other: Path, opened: DataSet, known: list[SeenImage]) -> Iterator[tuple[str, Row]]:
    """What of the other set nobody could look at."""
    for name, row in opened.unread:
        if name == "not_decoded":
            yield name, replace(row, images=tuple(f"{printable(other)}/{place}" for place in row.images))
    lost = [place for one in known if not one.decoded for place in one.places]
    if lost:
        some = f"{len(lost):,} images do not decode, such as {lost[0]}"
        yield "not_read", Row(detail=f"{printable(other)}: {some}, and were not compared")
