"""The `curate` command.

Commands import what they need when they run: `curate --help` loads neither torch nor a server's SDK.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from curate import __version__
from curate.errors import CurateError

app = typer.Typer(
    help="From a folder of raw images to a published, human-verified dataset.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # typer would import rich.markdown and rich.traceback: half of the start-up time
    pretty_exceptions_enable=False,
)
labelstudio = typer.Typer(
    help="The embedded Label Studio server, on this machine only.", no_args_is_help=True
)
taxonomy = typer.Typer(help="The categories.", no_args_is_help=True)
thresholds = typer.Typer(help="The scores from which boxes are suggested.", no_args_is_help=True)
params = typer.Typer(help="The parameters.", no_args_is_help=True)
dedupe = typer.Typer(help="Images that show the same picture.", no_args_is_help=True)
app.add_typer(labelstudio, name="labelstudio")
app.add_typer(dedupe, name="dedupe")
app.add_typer(taxonomy, name="taxonomy")
app.add_typer(thresholds, name="thresholds")
app.add_typer(params, name="params")

Root = Annotated[Path, typer.Option("--root", help="The project's folder.", show_default=False)]
HERE = Path()
ParamsFile = Annotated[Path, typer.Option("--params", help="Parameters; defaults if there is no such file.")]


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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """From a folder of raw images to a published, human-verified dataset."""


@labelstudio.command("up")
def labelstudio_up(root: Root = HERE) -> None:
    """Start the server, or say where it runs."""
    from curate.adapters.labelstudio import server

    connection = server.up(root)
    typer.echo(f"Label Studio: {connection.url}")
    typer.echo(f"log in with the user name and password in {server.credentials_path(root)}")


@labelstudio.command("status")
def labelstudio_status(root: Root = HERE) -> None:
    """Say whether the server runs; exit code 1 if it does not."""
    from curate.adapters.labelstudio import server

    status = server.status(root)
    typer.echo(
        f"Label Studio: {status.url} (pid {status.pid})" if status.running else "Label Studio: not running"
    )
    if not status.running:
        raise typer.Exit(1)


@labelstudio.command("down")
def labelstudio_down(root: Root = HERE) -> None:
    """Stop the server that `up` started, and no other process."""
    from curate.adapters.labelstudio import server

    typer.echo("Label Studio: stopped" if server.down(root) else "Label Studio: was not running")


@app.command("view")
def view(
    stage: Annotated[Stage, typer.Argument(help="The last stage to show.")] = Stage.RELEASE,
    root: Root = HERE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 = a free one.")] = 5151,
) -> None:
    """Open the FiftyOne app on the tables of every stage up to STAGE; Ctrl-C ends it."""
    from curate.adapters import fiftyone_view

    fiftyone_view.open_app(root, stage=stage.value, port=port)


@app.command("report")
def report(
    root: Root = HERE,
    out: Annotated[Path | None, typer.Option(help="The page; data/report/index.html by default.")] = None,
) -> None:
    """Write one HTML page on everything there is so far."""
    from curate.report import page

    typer.echo(f"report: {page.write(root, out or root / 'data/report/index.html')}")


@dedupe.command("page")
def dedupe_page(
    root: Root = HERE,
    out: Annotated[
        Path | None, typer.Option(help="The page; data/dedupe/duplicates.html by default.")
    ] = None,
    groups: Annotated[int, typer.Option(min=1, help="Groups of each order, at most.")] = 500,
) -> None:
    """Write HTML pages of the groups side by side, biggest and most doubtful first."""
    from curate.report import duplicates

    written = duplicates.write(root, out or root / duplicates.DUPLICATES, most=groups)
    typer.echo(f"duplicates: {written}")


@dedupe.command("index")
def dedupe_index(
    source: Annotated[Path, typer.Argument(help="A folder of images, or an images table (.parquet).")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the index; added to if it is there.")],
    params_file: ParamsFile = Path("params.yaml"),
) -> None:
    """Hash images into an index that others can be searched in."""
    from curate import params as file
    from curate.engines import chosen
    from curate.stages import indexing

    settings = file.load(params_file) if params_file.exists() else file.Params()
    engine = chosen.engine(settings.engine)
    ports = indexing.Ports(engine, lambda line: typer.echo(line, err=True), settings.engine.batch_size)
    typer.echo(indexing.run(settings.dedupe, source=source, out=out, ports=ports).line())


@dedupe.command("against")
def dedupe_against(
    base: Annotated[Path, typer.Argument(metavar="INDEX", help="Index of the other data set.")],
    *,
    table: Annotated[Path, typer.Option(help="The images to look for.")] = Path("data/ingest/images.parquet"),
    out: Annotated[Path, typer.Option(help="CSV of the pairs that are the same picture.")] = Path(
        "leaks.csv"
    ),
    index: Annotated[Path, typer.Option(help="The project's own index.")] = Path("data/dedupe/index"),
    params_file: ParamsFile = Path("params.yaml"),
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 if there is a leak.")] = False,
) -> None:
    """Find images that another data set holds too: leaks against a benchmark or last year's test set."""
    from curate import params as file
    from curate.engines import chosen
    from curate.stages import against

    settings = file.load(params_file) if params_file.exists() else file.Params()
    engine = chosen.engine(settings.engine)
    report = against.run(
        settings.dedupe,
        inputs=against.Inputs(images=table, base=base),
        outputs=against.Outputs(leaks=out, index=index),
        ports=against.Ports(engine, settings.engine.batch_size),
    )
    typer.echo(f"{report.line()}: {out}")
    if fail and dict(report.counts)["leaks"]:
        raise typer.Exit(1)


@taxonomy.command("check")
def taxonomy_check(path: Annotated[Path, typer.Argument(help="The file.")] = Path("taxonomy.yaml")) -> None:
    """Check the categories, their prompts, thresholds and parents."""
    from curate.labeling import taxonomy as file

    categories = file.load(path)
    for remark in file.remarks(categories):
        typer.echo(f"{path}: note: {remark}")
    typer.echo(f"{path}: {len(categories)} categories, digest {file.digest(categories)}")


@taxonomy.command("diff")
def taxonomy_diff(
    old: Annotated[Path, typer.Argument(help="The file as it was.")],
    new: Annotated[Path, typer.Argument(help="The file as it is.")] = Path("taxonomy.yaml"),
) -> None:
    """Say what changed, category by category, and what each change makes necessary."""
    from curate.labeling import taxonomy as file
    from curate.labeling import taxonomy_diff as difference

    changes = difference.compare(file.load(old), file.load(new))
    for change in changes:
        typer.echo(change.line())
    typer.echo(f"{len(changes)} changes from {old} to {new}")


@taxonomy.command("migrate")
def taxonomy_migrate(
    plan: Annotated[Path, typer.Argument(help="YAML with rename, merge and split; see docs/categories.md.")],
    root: Root = HERE,
    taxonomy_file: Annotated[Path, typer.Option("--taxonomy", help="As it is to be.")] = Path(
        "taxonomy.yaml"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Rename, merge or split categories in every table of annotations."""
    from curate.labeling import migration, migration_plan
    from curate.labeling import taxonomy as file

    work = migration.prepare(root, migration_plan.load(plan, file.load(root / taxonomy_file)))
    if not dry_run:
        work.write()
    for line in work.lines(written=not dry_run):
        typer.echo(line)


@thresholds.command("fit")
def thresholds_fit(
    *,
    precision: Annotated[float, typer.Option(help="Share of suggestions that must be right.")],
    confidence: Annotated[float, typer.Option(help="Probability that a category keeps it.")] = 0.95,
    answers: Annotated[
        Path, typer.Option(help="Table of what people drew: pull's, gold or consensus.")
    ] = Path("data/pull/annotations.parquet"),
    iou: Annotated[float, typer.Option(help="IoU from which a suggestion is the drawn object.")] = 0.5,
    together: Annotated[
        bool, typer.Option("--together", help="The confidence is for all categories at once.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Change taxonomy.yaml.")] = False,
    root: Root = HERE,
    taxonomy_file: Annotated[Path, typer.Option("--taxonomy", help="The file.")] = Path("taxonomy.yaml"),
) -> None:
    """Fit each category's threshold to a precision, by a bound and not by a guess."""
    from curate.labeling import threshold_fitting
    from curate.labeling.thresholds import Target

    fitting = threshold_fitting.run(
        root / "data/autolabel/annotations.parquet",
        root / answers,
        root / taxonomy_file,
        target=Target(precision, confidence, together=together),
        iou_threshold=iou,
    )
    for line in fitting.lines():
        typer.echo(line)
    if fitting.before == fitting.after:
        typer.echo(f"{fitting.taxonomy} stays as it is")
    elif write:
        fitting.write()
        typer.echo(f"{fitting.taxonomy} is written; next: dvc repro")
    else:
        typer.echo("nothing was written: --write does it")


@params.command("check")
def params_check(path: Annotated[Path, typer.Argument(help="The file.")] = Path("params.yaml")) -> None:
    """Check every parameter."""
    from curate import params as file

    file.load(path)
    typer.echo(f"{path}: every parameter is known and in range")


@params.command("doc")
def params_doc() -> None:
    """Print docs/parameters.md."""
    from curate import params_doc as document

    typer.echo(document.page(), nl=False)
