"""`curate qa adjudicate`: images on which people disagree, to somebody who decides."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import HERE, ParamsFile, Root


def adjudicate(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    gold: Annotated[
        bool, typer.Option("--gold", help="Add the decisions to the known answers instead (qa.gold).")
    ] = False,
    root: Root = HERE,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Hand the disagreement queue to a senior labeler; `dvc repro` takes the decisions back as answers.

    Reads params.yaml, data/agreement/ and data/pull/; writes a project on the server and data/adjudication/.
    With --gold: reads the decisions, writes adjudicated.parquet in the folder qa.gold.
    """
    from curate import params
    from curate.adapters.labelstudio import connection, tool
    from curate.cli.qa_push import plan_lines
    from curate.errors import InputError
    from curate.labeling import taxonomy
    from curate.stages import adjudicate as stage

    with contextlib.chdir(root):
        settings = params.load(parameters)
        inputs = stage.Inputs(taxonomy=settings.autolabel.taxonomy)
        if gold:
            names = [category.name for category in taxonomy.load(inputs.taxonomy)]
            path, images, known = stage.write_gold(settings.qa.gold, inputs=inputs, names=names)
            typer.echo(f"{path}: {images:,} images" + (f"; {known:,} are known elsewhere" if known else ""))
            return
        if not settings.labelstudio.enabled:
            raise InputError("labelstudio.enabled is false in params.yaml: there is no server to push to")
        server = tool.from_settings(settings.labelstudio, connection.resolve(Path()))
        if dry_run:
            plan = stage.plan(settings.labelstudio, inputs=inputs, tool=server)
            typer.echo("\n".join(plan_lines(plan)))
            return
        report = stage.run(settings.labelstudio, inputs=inputs, shown=stage.SHOWN, tool=server)
        typer.echo(report.line())
        if "url" in report.metrics:
            typer.echo(f"decide at {report.metrics['url']}, then run `dvc repro`")
