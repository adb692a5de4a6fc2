"""`curate export`: a release in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import user_path


def export(
    release: Annotated[
        Path, typer.Argument(metavar="RELEASE_FOLDER", parser=user_path, help="Such as data/release.")
    ],
    *,
    format: Annotated[str, typer.Option("--format", "-f", help="Such as coco or yolo; docs/formats.md.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", parser=user_path, help="The new folder; must be empty if it is there."),
    ],
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
        typer.Option(help="Where the files will lie, such as s3://bucket/signs (sagemaker, label-studio)."),
    ] = "",
) -> None:
    """Write RELEASE_FOLDER as another format into OUT, with export.json: what the format cannot hold.

    Reads the release only, which is held against its release.json; writes OUT, whole or not at all.
    """
    from curate.stages import export as stage

    typer.echo(stage.run(format, release, out, splits=split or (), images=images, url=url).line())
