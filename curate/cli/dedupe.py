"""`curate dedupe`: images that show the same picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import HERE, AsJson, ParamsFile, Root, user_path

app = typer.Typer(help="Images that show the same picture.", no_args_is_help=True)


@app.command("page")
def page(
    root: Root = HERE,
    out: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="The page; data/dedupe/duplicates.html by default."),
    ] = None,
    groups: Annotated[int, typer.Option(min=1, help="Groups of each order, at most.")] = 500,
) -> None:
    """Write HTML pages of the groups side by side, biggest and most doubtful first.

    Reads the tables of ingest and dedupe, and the images; writes OUT, with further pages beside it.
    """
    from curate.report import duplicates

    written = duplicates.write(root, out or root / duplicates.DUPLICATES, max_groups=groups)
    typer.echo(f"duplicates: {written}")


@app.command("index")
def index(
    source: Annotated[
        Path, typer.Argument(parser=user_path, help="A folder of images, or an images table (.parquet).")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", parser=user_path, help="Folder of the index; added to if it is there."),
    ],
    params_file: ParamsFile = Path("params.yaml"),
) -> None:
    """Hash images into an index that others can be searched in.

    Reads SOURCE and the section dedupe of params.yaml; writes the folder OUT.
    """
    from curate import params as file
    from curate.engines import factory
    from curate.stages import build_index

    settings = file.load(params_file) if params_file.exists() else file.Params()
    engine = factory.engine(settings.engine)
    ports = build_index.Ports(engine, lambda line: typer.echo(line, err=True), settings.engine.batch_size)
    typer.echo(build_index.run(settings.dedupe, source=source, out=out, ports=ports).line())


@app.command("against")
def against(
    base: Annotated[
        Path, typer.Argument(parser=user_path, metavar="INDEX", help="Index of the other data set.")
    ],
    *,
    table: Annotated[Path, typer.Option(parser=user_path, help="The images to look for.")] = Path(
        "data/ingest/images.parquet"
    ),
    out: Annotated[
        Path, typer.Option(parser=user_path, help="CSV of the pairs that are the same picture.")
    ] = Path("leaks.csv"),
    index: Annotated[Path, typer.Option(parser=user_path, help="The project's own index.")] = Path(
        "data/dedupe/index"
    ),
    params_file: ParamsFile = Path("params.yaml"),
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 if there is a leak.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find images that another data set holds too: leaks against a benchmark or last year's test set.

    Reads both indexes and the table; writes OUT, and the project's index where it was out of date.
    """
    from curate import params as file
    from curate.engines import factory
    from curate.stages import leakage

    settings = file.load(params_file) if params_file.exists() else file.Params()
    engine = factory.engine(settings.engine)
    report = leakage.run(
        settings.dedupe,
        inputs=leakage.Inputs(images=table, base=base),
        outputs=leakage.Outputs(leaks=out, index=index),
        ports=leakage.Ports(engine, settings.engine.batch_size),
    )
    document = {"counts": dict(report.counts), "metrics": dict(report.metrics), "pairs": str(out)}
    typer.echo(json.dumps(document, indent=2) if as_json else f"{report.line()}: {out}")
    if fail and dict(report.counts)["leaks"]:
        raise typer.Exit(1)
