"""`curate init`: a project of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import user_path


def _templates() -> list[str]:
    from curate import pipeline_templates

    return list(pipeline_templates.names())


def init(
    folder: Annotated[
        Path,
        typer.Argument(parser=user_path, metavar="NAME", help="A new or empty folder; names the data set."),
    ],
    *,
    images: Annotated[
        str, typer.Option(metavar="PATH_OR_URL", help="A folder of images, a list, table, archive or URL.")
    ],
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            parser=user_path,
            metavar="FILE",
            help="Labels that you have: their categories begin taxonomy.yaml; may be given again.",
        ),
    ] = None,
    template: Annotated[str, typer.Option(help="The pipeline.", autocompletion=_templates)] = "detection",
) -> None:
    """Make a folder that is a project: parameters, categories, sources, guideline, pipeline, git and DVC.

    Reads label files, but no image, and needs no network; writes into NAME only, which must be new or empty.
    """
    from curate import new_project
    from curate.ingest.place_names import is_url

    place = images if is_url(images) else str(user_path(images))
    written = new_project.create(folder, images=place, template=template, labels=labels or ())
    typer.echo(f"{folder}: {', '.join(written)}")
    typer.echo(_first_step(written, labels=bool(labels)))
    enter = "" if folder.resolve() == Path.cwd() else f"cd {os.fspath(folder)} && "
    for command, does in _commands(enter, people="taxonomy.yaml" in written):
        typer.echo(f"  {command}  # {does}")
    for path in labels or ():
        there = path if path.is_absolute() else Path(os.path.relpath(path, folder))
        typer.echo(
            f"  curate import {there} --as suggestions  # or answers, or gold; after `dvc repro dedupe`"
        )


def _first_step(written: Sequence[str], *, labels: bool) -> str:
    licensing = "name the license of the images in sources.yaml; then:"
    if "taxonomy.yaml" not in written:
        return f"name your models in params.yaml (upscale.models), {licensing}"
    return f"{'look through' if labels else 'name'} the categories in taxonomy.yaml, {licensing}"


def _commands(enter: str, *, people: bool) -> Iterator[tuple[str, str]]:
    yield f"{enter}curate doctor", "what this machine still lacks for it, and what to do"
    if people:
        yield "curate labelstudio up", "the labelling server, on this machine only"
        yield "dvc repro", "the pipeline; it stops where people are needed, and goes on when they are done"
    else:
        yield "dvc repro", "the pipeline"


def update() -> None:
    """Bring dvc.yaml to this version of curate, after an upgrade.

    Reads dvc.yaml; writes it where it lacks something, and the file as it was as dvc.yaml.old.
    """
    from curate import new_project

    for one in (lacking := new_project.update_pipeline(Path("dvc.yaml"))):
        typer.echo(f"lacked {one}")
    typer.echo(
        "dvc.yaml is written; the file as it was: dvc.yaml.old" if lacking else "dvc.yaml lacks nothing"
    )
