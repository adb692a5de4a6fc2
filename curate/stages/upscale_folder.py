"""`curate upscale` without a project: the images of folders into a folder of results."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import InputError
from curate.params import UpscaleParams
from curate.restoration import image_folder, table_schemas, upscale_files
from curate.stages import upscale
from curate.stages.upscale import SourceImage


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it.

    Attributes:
        rows: Of `curate.table_schemas.UPSCALED`, as they stand in upscaled.csv.
        line: For the user.
    """

    rows: list[dict[str, Any]]
    line: str

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows of images that failed."""
        return [row for row in self.rows if row["outcome"] == "failed"]


def run(
    params: UpscaleParams,
    *,
    places: Sequence[Path],
    out: Path,
    ports: upscale.Ports,
    release_license: str | None,
) -> Done:
    """Upscale by the one model of `params`, and write `out`/upscaled.csv with a row per image.

    Raises:
        InputError: There is no image, the results would lie among the images, or one would replace a file
            that is no result.
        ParamsError, ModelError, StorageError: As `upscale.upscale_all`.
    """
    for place in places:
        if place.is_dir() and out.resolve().is_relative_to(place.resolve()):
            raise InputError(
                f"{out} lies in {place}: its results would be images of the next run; choose another"
            )
    found = image_folder.find(places)
    images = [SourceImage(name, path, name) for path, name in found.files]
    targets = {(out / f"{one.name}.png").resolve() for one in images}
    for one in images:
        if one.path.resolve() in targets:
            raise InputError(f"{one.path} would be overwritten by a result: choose another folder than {out}")
    for target in sorted(targets):
        if not upscale_files.may_write(target):
            raise InputError(
                f"{target} is there, and no result of `curate upscale`: choose another folder than {out}"
            )
    rows = upscale.upscale_all(
        params, images, folder=lambda _: out, ports=ports, release_license=release_license
    )
    with (
        tables.replacing(out / "upscaled.csv") as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, table_schemas.UPSCALED.arrow.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    failed = sum(row["outcome"] == "failed" for row in rows)
    counts = [f"{len(rows) - failed:,} images in {out}"]
    counts += [f"{failed:,} failed"] if failed else []
    counts += [f"{len(found.others):,} files are no images"] if found.others else []
    licenses = sorted({row["model_license"] for row in rows})
    return Done(rows, f"upscale: {', '.join(counts)}; weights under {', '.join(licenses)}")
