"""`curate check`: what is wrong with a data set that somebody already has."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import AsJson, user_path


def _fail_on() -> list[str]:
    from curate.check.finding import KINDS, SEVERITIES
    from curate.check.json_and_junit import NEVER

    return [*SEVERITIES, NEVER, *KINDS]


def check(
    path: Annotated[
        str,
        typer.Argument(help="A folder of images, a file or folder of labels, or hf://owner/name[@revision]."),
    ],
    *,
    against: Annotated[
        str | None,
        typer.Option(help="Another data set, or its index: no picture may be in both."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="Folder of the images, if it is not the one of the labels."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Such as coco, classes or images; found by itself if left out."),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(help="Of FiftyOne: which labels of a sample, if there are several.", show_default=False),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="A model's objects with scores: labels it contradicts are told."),
    ] = None,
    page: Annotated[
        Path, typer.Option(parser=user_path, help="The HTML page with pictures.", show_default=False)
    ] = Path("curate-check.html"),
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no page.")] = False,
    as_json: AsJson = False,
    junit: Annotated[
        Path | None, typer.Option(parser=user_path, help="A JUnit file for CI, one case a kind.")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit code 1 from this severity on: error (the default), warning, note, never; or for this "
            "kind; may be given again.",
            autocompletion=_fail_on,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="Folder that is kept: a second check reads what changed only."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 = one per core.")] = 0,
) -> None:
    """Say what is wrong with the data set PATH; no project is needed. Exit code 1 if it should not be used.

    Reads PATH, AGAINST and PREDICTIONS, of the Hub through its cache; writes PAGE, and JUNIT and CACHE if
    they are named. The data set is not changed.
    """
    from curate import tables
    from curate.check import json_and_junit
    from curate.engines.local import LocalEngine
    from curate.report import check_page
    from curate.stages import check as stage

    fail_on = fail_on or ["error"]
    json_and_junit.refuse_unknown(fail_on)
    with contextlib.ExitStack() as stack:
        scratch = cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="curate-check-")))
        other = None if against is None else _place(against)
        inputs = stage.Inputs(_place(path), format, images, other, path, predictions, field)
        found = stage.run(inputs, scratch=scratch, engine=LocalEngine(workers))
        failed = json_and_junit.failing(found, fail_on)
        if not no_page:
            check_page.write(found, page)
    if junit is not None:
        with tables.replacing(junit) as partial:
            partial.write_text(json_and_junit.as_junit(found, failed), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(json_and_junit.as_json(found, failed), indent=2))
    else:
        for text in json_and_junit.summary(found, failed):
            typer.echo(text)
        if not no_page:
            typer.echo(f"page: {page}")
    if failed:
        raise typer.Exit(1)


def _place(where: str) -> Path:
    """A path of this machine; a data set of the Hub is brought here."""
    from curate.adapters import hub_release, release_place

    return hub_release.fetch_all(where) if where.startswith(release_place.HUB) else user_path(where)
