"""`curate publish`: the word that the stage publish waits for."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

_RELEASE = Path("data/release")


def publish(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Bring data/release to the target that params.yaml names, after a look at what that changes.

    Reads params.yaml and data/release; writes data/publish/, metrics/publish.json, and in dvc.lock what was
    published. The git tag is made by `curate tag`, once that is committed.
    """
    from curate import params
    from curate_pipelines import publish as stage
    from curate_pipelines import stage_entry

    plan = stage.hub(params.load(Path("params.yaml")).publish).plan(_RELEASE)
    for line in plan.lines():
        typer.echo(line)
    if dry_run:
        return
    if not plan.there and not yes:
        typer.confirm("Publish?", abort=True)
    stage_entry.run("publish", functools.partial(stage.main, confirmed=True))
    if Path(".dvc").is_dir() and Path("dvc.lock").exists():
        from curate.adapters import git_versions

        known = git_versions.record_publication(Path())
        first = "" if known else "`dvc repro`, "
        typer.echo(f"to name this version in git: {first}commit dvc.lock and metrics, then `curate tag`")
