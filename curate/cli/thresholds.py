"""`curate thresholds`: the scores from which boxes are suggested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import HERE, Root, user_path

app = typer.Typer(help="The scores from which boxes are suggested.", no_args_is_help=True)


@app.command("fit")
def fit(
    *,
    precision: Annotated[float, typer.Option(help="Share of suggestions that must be right.")],
    confidence: Annotated[float, typer.Option(help="Probability that a category keeps it.")] = 0.95,
    answers: Annotated[
        Path, typer.Option(parser=user_path, help="Table of what people drew: pull's, gold or consensus.")
    ] = Path("data/pull/annotations.parquet"),
    iou: Annotated[float, typer.Option(help="IoU from which a suggestion is the drawn object.")] = 0.5,
    together: Annotated[
        bool, typer.Option("--together", help="The confidence is for all categories at once.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Change taxonomy.yaml.")] = False,
    root: Root = HERE,
    taxonomy_file: Annotated[Path, typer.Option("--taxonomy", parser=user_path, help="The file.")] = Path(
        "taxonomy.yaml"
    ),
) -> None:
    """Fit each category's threshold to a precision, by a bound and not by a guess.

    Reads the suggestions, what was shown and the answers; writes taxonomy.yaml with --write only.
    """
    from curate import params
    from curate.labeling import threshold_fitting
    from curate.labeling.thresholds import Target
    from curate.stages import seen_scenes

    settings = params.load(root / "params.yaml") if (root / "params.yaml").exists() else params.Params()
    seen = seen_scenes.learned(
        root / Path(settings.autolabel.detector.model).expanduser(),
        root / "data/dedupe/images.parquet",
        settings.release.group_by,
    )
    fitting = threshold_fitting.run(
        root / "data/autolabel/annotations.parquet",
        root / answers,
        root / taxonomy_file,
        target=Target(precision, confidence, together=together),
        iou_threshold=iou,
        shown=root / "data/push/shown",
        pulled=root / "data/pull/answers.parquet",
        trained_on=seen.images,
        related=seen.related,
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
