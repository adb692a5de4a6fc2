"""`curate export`: a release in another format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import user_path

_PARAMS = Path("params.yaml")


def export(
    release: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE",
            help="A release folder, a folder of published ones, or hf://owner/name[@revision].",
        ),
    ] = "",
    *,
    format: Annotated[str, typer.Option("--format", "-f", help="Such as coco or yolo; docs/formats.md.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", parser=user_path, help="The new folder; must be empty if it is there."),
    ],
    version: Annotated[
        str | None,
        typer.Option(help="This one: as it was published, or as a tag of the project's git has it."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            parser=user_path,
            help="Folder of an earlier export's images: the same bytes are linked, not copied.",
        ),
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            help="Where the files will lie, such as s3://bucket/signs (sagemaker, label-studio); the data "
            "set's owner/name (kaggle)."
        ),
    ] = "",
) -> None:
    """Write RELEASE (data/release if left out) as another format into OUT, with what that cannot hold.

    Reads the release only, which is held against its release.json, and params.yaml for where `--version` was
    published; writes OUT, whole or not at all; OUT/export.json counts what the format cannot hold.
    """
    from curate import params
    from curate.adapters import release_place
    from curate.stages import export as stage

    place = release if release.startswith(release_place.HUB) else user_path(release or Path("data/release"))
    published = (params.load(_PARAMS) if _PARAMS.exists() else params.Params()).publish
    with tempfile.TemporaryDirectory(prefix="curate-export-") as scratch:
        found = release_place.find(place, version, published, Path(scratch))
        done = stage.run(
            format, found.folder, out, splits=split or (), images=images, url=url, whole=found.whole
        )
    typer.echo(done.line())
