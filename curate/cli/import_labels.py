"""`curate import`: labels that people already have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import HERE, ParamsFile, Root, user_path

if TYPE_CHECKING:
    from curate.params.ingest import IngestParams
    from curate.stages.import_labels import ImportParams


class Become(StrEnum):
    """What labels can be to a project."""

    SUGGESTIONS = "suggestions"
    ANSWERS = "answers"
    GOLD = "gold"


class FrameName(StrEnum):
    """Pixels that labels were drawn on."""

    STORED = "stored"
    UPRIGHT = "upright"


class MatchName(StrEnum):
    """What a label file names images by."""

    PATH = "path"
    NAME = "name"
    ID = "id"


def import_labels(
    file: Annotated[
        Path | None,
        typer.Argument(
            parser=user_path,
            help="A file or folder of labels; left out = all that `labels` in sources.yaml names.",
        ),
    ] = None,
    *,
    become: Annotated[Become | None, typer.Option("--as", help="What the labels are to the project.")] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Who gave the answers, where the file does not say it.")
    ] = None,
    frame: Annotated[
        FrameName, typer.Option(help="Drawn on the files' own pixels, or on those that EXIF turned upright.")
    ] = FrameName.UPRIGHT,
    match: Annotated[
        MatchName, typer.Option(help="What names an image: its path or an end of it, its name, its id.")
    ] = MatchName.PATH,
    format: Annotated[
        str | None, typer.Option("--format", "-f", help="Such as coco; found by itself if left out.")
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="Of a FiftyOne export: which field of labels, where there are several.")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="THEIRS=OURS: a category that has another name here.")
    ] = None,
    root: Root = HERE,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Join FILE to the project's images, as suggestions, answers or gold.

    Reads the table of images, taxonomy.yaml and FILE; writes a table under labels/ (gold: in qa.gold) that
    the stages read, and a CSV of everything that did not fit, with file and line.
    """
    from curate import params as params_file
    from curate.errors import InputError
    from curate.stages import import_labels as stage

    pairs = [text.partition("=") for text in category or ()]
    if any(not theirs or not ours for theirs, _, ours in pairs):
        raise InputError("--category expects THEIRS=OURS, such as --category 'stop sign=stop_sign'")
    path = root / parameters
    settings = params_file.load(path) if path.exists() else params_file.Params()
    if file is None:
        wanted = _listed(root, settings.ingest)
    elif become is None:
        raise InputError(f"{file}: say what it is, with --as suggestions, answers or gold")
    else:
        names = {theirs: ours for theirs, _, ours in pairs}
        wanted = [
            stage.ImportParams(file, become.value, format, annotator, frame.value, match.value, names, field)
        ]
    for one in wanted:
        inputs, outputs = stage.places(one, root, settings.autolabel.taxonomy, settings.qa.gold)
        done = stage.run(one, inputs=inputs, outputs=outputs)
        typer.echo(done.report.line())
        for remark in done.remarks:
            typer.echo(f"  {remark}")


def _listed(root: Path, settings: IngestParams) -> list[ImportParams]:
    """What sources.yaml names under `labels`."""
    from curate.errors import InputError
    from curate.ingest import label_files
    from curate.stages import import_labels as stage

    if settings.sources is None:
        raise InputError("ingest.sources is null: name the FILE to import, or list it in a file of sources")
    listing = root / (settings.raw or Path()) / settings.sources
    found = label_files.load(listing)
    if not found:
        raise InputError(f"{listing} has no `labels`: name the FILE to import, or list it there")
    return [
        stage.ImportParams(
            one.path,
            one.entry.become,
            one.entry.format,
            one.entry.annotator,
            one.entry.frame,
            one.entry.match,
            one.entry.categories,
            one.entry.field,
        )
        for one in found
    ]
