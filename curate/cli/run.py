"""`curate run`: one stage, as dvc.yaml runs it."""

from __future__ import annotations

import functools
import importlib
from typing import Annotated

import typer

from curate_pipelines import EVERY_STAGE, FIRST

_STAGES = (FIRST, *EVERY_STAGE)


def run(
    stage: Annotated[
        str, typer.Argument(help=f"One of {', '.join(_STAGES)}.", autocompletion=lambda: list(_STAGES))
    ],
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Stage ingest only: read unchanged files again.")
    ] = False,
) -> None:
    """Run one stage, as dvc.yaml does; `dvc repro` runs all that changed, in their order.

    Reads params.yaml, the files that it names and the tables of earlier stages; writes data/STAGE, plots and
    metrics/STAGE.json.
    """
    from curate_pipelines import stage_entry

    if stage not in _STAGES:
        raise typer.BadParameter(f"{stage!r} is none of {', '.join(_STAGES)}", param_hint="STAGE")
    if verify and stage != "ingest":
        raise typer.BadParameter("only the stage ingest reads files again", param_hint="--verify")
    main = importlib.import_module(f"curate_pipelines.{stage}").main
    stage_entry.run(stage, functools.partial(main, verify=True) if verify else main)
