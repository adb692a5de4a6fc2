"""Contact sheets of the stage diagnose: a page per fault, its worst images first, whole and at 100%."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
from PIL import Image

from curate.images import pixel_limit
from curate.release.folder import replacing_folder
from curate.report import full_size_crops
from curate.report.drawing import Picture, thumbnail_of, words
from curate.restoration.image_faults import FAULTS, Fault

_SIDE: Final = 240  # pixels of the whole image, and of the part at 100%


@dataclass(frozen=True, slots=True)
class Case:
    """An image with the fault: all of it, the middle of it at 100%, its row."""

    whole: Picture
    middle: Picture
    row: Mapping[str, Any]


def write(rows: Sequence[Mapping[str, Any]], folder: Path, max_images: int) -> None:
    """Write FAULT.html for every fault that an image has; no page asks for anything elsewhere.

    Args:
        rows: Of the table of diagnose; a file that has disappeared is left out and counted.
        folder: Replaced as a whole.
        max_images: Images on a page; 0 = no page at all.

    Raises:
        StorageError: It cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("diagnosis.html.j2")
    with replacing_folder(folder) as partial:
        for fault in FAULTS if max_images else ():
            faulty = worst_first(rows, fault)
            if not faulty:
                continue
            with pixel_limit.any_size():  # ingest read them within its own limit
                cases = [case for row in faulty[:max_images] if (case := _case(row)) is not None]
            page = template.render(title=words(fault.name), fault=fault, cases=cases, images=len(faulty))
            (partial / f"{fault.name}.html").write_text(page, encoding="utf-8")


def worst_first(rows: Sequence[Mapping[str, Any]], fault: Fault) -> list[Mapping[str, Any]]:
    """Rows of images with the fault."""
    faulty = [row for row in rows if fault.name in row["faults"]]
    return sorted(faulty, key=lambda row: (-fault.badness(row[fault.figure]), row["image_id"]))


def _case(row: Mapping[str, Any]) -> Case | None:
    try:
        whole = thumbnail_of(Path(row["path"]), side=_SIDE)
        with Image.open(row["path"]) as image:
            middle = image.crop(full_size_crops.middle(image.size, _SIDE)).convert("RGB")
    except OSError:
        return None
    return Case(whole, full_size_crops.picture(middle), row)
