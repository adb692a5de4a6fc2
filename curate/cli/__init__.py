"""The `curate` command; one file per group of commands.

Commands import what they need when they run: `curate --help` loads neither torch nor a server's SDK.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from curate import __version__
from curate.cli import (
    check,
    decisions,
    dedupe,
    diff,
    doctor,
    export,
    import_labels,
    init,
    labelstudio,
    models,
    params,
    publish,
    qa,
    run,
    select,
    taxonomy,
    thresholds,
    train,
    upscale,
    versions,
)
from curate.cli.options import HERE, Root, enter_project, user_path
from curate.errors import CurateError

app = typer.Typer(
    help="From a folder of raw images to a published, human-verified dataset.",
    no_args_is_help=True,
    rich_markup_mode=None,  # typer would import rich.markdown and rich.traceback: half of the start-up time
    pretty_exceptions_enable=False,
)
for name, group in (
    ("labelstudio", labelstudio.app),
    ("qa", qa.app),
    ("dedupe", dedupe.app),
    ("decisions", decisions.app),
    ("models", models.app),
    ("taxonomy", taxonomy.app),
    ("thresholds", thresholds.app),
    ("params", params.app),
    ("select", select.app),
    ("upscale", upscale.app),
):
    app.add_typer(group, name=name)
app.command("export")(export.export)
app.command("diff")(diff.diff)
app.command("publish")(publish.publish)
app.command("tag")(versions.tag)
app.command("checkout")(versions.checkout)
app.command("train")(train.train)
app.command("import")(import_labels.import_labels)


class Stage(StrEnum):
    """Stages whose tables can be looked at."""

    INGEST = "ingest"
    DEDUPE = "dedupe"
    AUTOLABEL = "autolabel"
    PULL = "pull"
    AGREEMENT = "agreement"
    RELEASE = "release"


def main() -> None:
    """Run the command; a `CurateError` is one line on stderr and exit code 1."""
    try:
        app()
    except CurateError as error:
        print(f"curate: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"curate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 - its callback has done it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """From a folder of raw images to a published, human-verified dataset."""
    enter_project()


app.command("init")(init.init)
app.command("update")(init.update)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)


@app.command("view")
def view(
    stage: Annotated[Stage, typer.Argument(help="The last stage to show.")] = Stage.RELEASE,
    root: Root = HERE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 = a free one.")] = 5151,
    screenshot: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="Write a picture of a saved view here instead, and end."),
    ] = None,
    saved: Annotated[str, typer.Option("--view", help="The saved view of the picture.")] = "kept",
) -> None:
    """Open the FiftyOne app on the tables of every stage up to STAGE; Ctrl-C ends it.

    Reads the tables below data/, rules.yaml and the images; writes .fiftyone/ only, its database, and the
    picture.
    """
    from curate.adapters import fiftyone_view
    from curate.adapters.fiftyone_rules import RuleMatches
    from curate.stages import decision_rules

    rules = [
        RuleMatches(rule.name, rule.when, rule.then, images) for rule, images in decision_rules.matches(root)
    ]
    if screenshot is not None:
        fiftyone_view.screenshot(root, screenshot, stage=stage.value, view=saved, rules=rules)
        typer.echo(f"view: {screenshot}")
        return
    fiftyone_view.open_app(root, stage=stage.value, port=port, rules=rules)


@app.command("report")
def report(
    root: Root = HERE,
    out: Annotated[
        Path | None, typer.Option(parser=user_path, help="The page; data/report/index.html by default.")
    ] = None,
) -> None:
    """Write one HTML page on everything there is so far.

    Reads the tables below data/ and metrics/; writes OUT, and the same figures as JSON beside it.
    """
    from curate.adapters import fiftyone_view
    from curate.adapters.labelstudio.task_links import task_links
    from curate.report import page
    from curate.report.inputs import Links

    links = Links(task_links(root), fiftyone_view.address(root))
    typer.echo(f"report: {page.write(root, out or root / 'data/report/index.html', links=links)}")
