"""`curate qa status` and `curate qa pull`: how far people are, and what they did."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import HERE, AsJson, ParamsFile, Root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from curate.ports.pulled import AnnotationReader, Snapshot, WantedTask
    from curate.qa.labeling_progress import Status

_PARAMS = Path("params.yaml")


def status(
    *,
    as_json: AsJson = False,
    once: Annotated[bool, typer.Option("--once", help="Print once, also on a terminal.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks at the server.")] = 5.0,
    root: Root = HERE,
    parameters: ParamsFile = _PARAMS,
) -> None:
    """Show how far the labelers are; on a terminal again and again, until Ctrl-C.

    Reads params.yaml, the plan and the server; writes only the cache of the stage pull.
    """
    title, wanted, _, reader = _wired(root, parameters)

    def look() -> Status:
        with reader.pull(title, wanted) as snapshot:
            return _status(snapshot)

    if as_json:
        typer.echo(json.dumps(look().as_json(), indent=2))
        return
    if once or not sys.stdout.isatty():
        from curate.cli import qa_status

        for line in qa_status.plain(look(), title, datetime.now(UTC)):
            typer.echo(line)
        return
    _live(look, title, every)


def pull(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything again, also what did not change.")
    ] = False,
    root: Root = HERE,
    parameters: ParamsFile = _PARAMS,
) -> None:
    """Read what people did into the cache of the stage pull; `dvc repro` makes the tables of it.

    Reads params.yaml, the plan and the server; writes data/pull/cache.sqlite.
    """
    title, wanted, labels, reader = _wired(root, parameters)
    with reader.pull(title, wanted, labels=labels, full=full) as snapshot:
        progress, counts = snapshot.progress, snapshot.counts
    typer.echo(
        f"pull: {counts.tasks_read:,} tasks read{' (everything)' if counts.full else ''}, "
        f"{counts.tasks_gone:,} gone; {progress.tasks_done:,} of {progress.tasks:,} tasks done "
        f"({progress.slots_done:,} of {progress.slots_needed:,} looks)"
    )


def _wired(
    root: Path, parameters: Path
) -> tuple[str, Mapping[str, WantedTask], Sequence[str], AnnotationReader]:
    """Title of the project, tasks that people must look at, categories, and the server."""
    from curate import params
    from curate.adapters.labelstudio import connection, tool
    from curate.errors import InputError
    from curate.labeling import taxonomy
    from curate.stages import pull as stage

    settings = params.load(root / parameters)
    if not settings.labelstudio.enabled:
        raise InputError("labelstudio.enabled is false in params.yaml: there is no server to ask")
    reader = tool.reader_from_settings(settings.labelstudio, connection.resolve(root), root=root)
    wanted = stage.wanted(root / "data/select/plan.parquet", root / "data/dedupe/images.parquet")
    labels = [category.name for category in taxonomy.load(root / settings.autolabel.taxonomy)]
    return settings.labelstudio.project, wanted, labels, reader


def _status(snapshot: Snapshot) -> Status:
    from curate.qa import labeling_progress

    return labeling_progress.status(
        snapshot.progress,
        (row for piece in snapshot.answers() for row in piece if row["outcome"] != "unattended"),
        url=snapshot.url,
        now=datetime.now(UTC),
        raw_regions={**snapshot.counts.raw_regions, **snapshot.counts.unreadable},
    )


def _live(look: Callable[[], Status], title: str, every: float) -> None:
    """Draw again after each look; what goes wrong in between is shown below and tried again."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from curate.cli import qa_status
    from curate.errors import AnnotationToolError

    latest = look()  # the first one ends the command if it fails
    try:
        with Live(console=Console(), auto_refresh=False, transient=False) as live:
            note = ""
            while True:
                now = datetime.now(UTC)
                foot = Text(
                    f"\n{note}{now.astimezone():%H:%M:%S}, again every {every:.0f} s; Ctrl-C ends it", "dim"
                )
                live.update(Group(qa_status.screen(latest, title, now), foot), refresh=True)
                time.sleep(every)
                try:
                    latest, note = look(), ""
                except AnnotationToolError as error:
                    note = f"{error}\n"
    except KeyboardInterrupt:
        return
