"""Stage diagnose: what is wrong with each kept image, in words, with a contact sheet per fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from curate import schema, tables
from curate.errors import InputError, MetricError
from curate.images import load_upright
from curate.params import DiagnoseParams
from curate.ports import Casualty, Engine
from curate.records import StageReport
from curate.restoration import banding, image_faults, ringing, table_schemas
from curate.restoration.image_faults import FAULTS, FIGURES

_BATCH = 8  # images that a worker takes at a time
_OF_PIXELS = ("banding", "ringing")  # the others stand in the table of images


@dataclass(frozen=True, slots=True)
class Inputs:
    """`images`: the table of dedupe, with the files it names."""

    images: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: A row per kept image.
        sheets: Folder of a contact sheet per fault, worst images first; replaced as a whole.
    """

    table: Path
    sheets: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        engine: Where images are decoded.
        sheets: Writes the folder of contact sheets of rows of the table, at most so many images each.
    """

    engine: Engine
    sheets: Callable[[Sequence[Mapping[str, Any]], Path, int], None]


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image to be looked at."""

    path: Path

    def __str__(self) -> str:
        return f"image {self.path}"


Measured = tuple[dict[str, float], dict[str, str]]  # figures, and why others are missing


def run(params: DiagnoseParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Say of every kept image what is wrong with it.

    Figures are those that ingest and dedupe measured; banding and ringing are measured here. What is not
    known is said to be so and never counts as good.

    Raises:
        InputError: No image is kept.
        TableError: The table is missing.
        StorageError: The disk is full or refuses.
    """
    columns = ["image_id", "path", "quality", "drop_reason"]
    images = tables.read(inputs.images, schema.IMAGES, columns=columns).to_pylist()
    kept = [row for row in images if row["drop_reason"] is None]
    if not kept:
        raise InputError(f"{inputs.images} keeps no image: look at its drop_reason column")
    rows = [
        _row(row, params, measured) for row, measured in zip(kept, _measured(kept, ports.engine), strict=True)
    ]
    tables.write_rows(rows, outputs.table, table_schemas.DIAGNOSED)
    ports.sheets(rows, outputs.sheets, params.sheet)
    by_fault = Counter(name for row in rows for name in row["faults"])
    unknown = Counter(name for row in rows for name in row["unknown"])
    counts = (
        ("images", len(rows)),
        ("without a fault", sum(not row["faults"] and not row["unknown"] for row in rows)),
        ("not wholly known", sum(bool(row["unknown"]) for row in rows)),
        *((name.replace("_", " "), by_fault[name]) for name in image_faults.NAMES if by_fault[name]),
    )
    limits = {fault.name: fault.bound(params) for fault in FAULTS}
    return StageReport(
        "diagnose",
        counts,
        {"faults": dict(by_fault), "not_known": dict(unknown), "limits": limits},
    )


def _measured(kept: Sequence[Mapping[str, Any]], engine: Engine) -> Iterator[Measured]:
    items = [KeptImage(Path(row["path"])) for row in kept]
    batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    for found in engine.map_batches(measuring, batches, label="diagnose, images", total=len(items)):
        for one in found:
            if isinstance(one, Casualty):
                reason = f"ended its worker {one.tries} times ({one.how})"
                yield {}, dict.fromkeys(_OF_PIXELS, reason)
            else:
                yield one


def measuring() -> Callable[[Sequence[KeptImage]], list[Measured]]:
    """Set a worker up."""
    return _measure_all


def _measure_all(images: Sequence[KeptImage]) -> list[Measured]:
    return [_measure(image) for image in images]


def _measure(image: KeptImage) -> Measured:
    try:
        luma = np.asarray(Image.fromarray(load_upright.load_upright(image.path)).convert("L"))
    except InputError as error:
        return {}, dict.fromkeys(_OF_PIXELS, str(error))
    figures, why_not = {}, {}
    for name, figure in (("banding", banding.banding), ("ringing", ringing.ringing)):
        try:
            figures[name] = figure(luma)
        except MetricError as error:
            why_not[name] = str(error)
    return figures, why_not


def _row(image: Mapping[str, Any], params: DiagnoseParams, measured: Measured) -> dict[str, Any]:
    of_pixels, why_not = measured
    figures = dict.fromkeys(FIGURES) | dict(image["quality"] or {}) | of_pixels
    figures = {name: figures[name] for name in FIGURES}
    found = image_faults.diagnose(figures, params, why_not)
    return {
        "image_id": image["image_id"],
        "path": image["path"],
        **figures,
        "faults": list(found.faults),
        "unknown": list(found.unknown),
        "words": found.words,
        "bands": sorted(found.bands.items()),
    }
