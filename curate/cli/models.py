"""`curate models`: the weights of the models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import AsJson, ParamsFile

if TYPE_CHECKING:
    from curate.adapters.model_fetch import Wanted
    from curate.params import Params
    from curate.stages.compare_models import Side

app = typer.Typer(help="The weights of the models: fetch, list, verify, compare.", no_args_is_help=True)
_PARAMS = Path("params.yaml")
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Public names or Hub ids; what params.yaml names, if none is given.", metavar="NAME"),
]


@app.command("fetch")
def fetch(names: Names = None, path: ParamsFile = _PARAMS) -> None:
    """Bring weights to this machine; what is there already is not fetched again.

    Reads params.yaml; writes into the caches of curate (CURATE_MODELS) and of the Hub (HF_HOME).
    """
    from curate.adapters import model_fetch

    for wanted in _wanted(names, path):
        typer.echo(f"{wanted.name}: {model_fetch.fetch(wanted)}")


@app.command("list")
def list_(path: ParamsFile = _PARAMS) -> None:
    """Public weights and those of the project's stages (marked *): size, license, digest, where they are.

    Reads params.yaml and the caches; writes nothing, asks nobody.
    """
    from curate.adapters import model_list

    for line in model_list.lines(_wanted(None, path) if path.is_file() else []):
        typer.echo(line)


@app.command("verify")
def verify(names: Names = None, path: ParamsFile = _PARAMS) -> None:
    """Hold the weights on this machine against their digests; exit code 1 if one is missing or another.

    Reads params.yaml and every weights file; writes nothing.
    """
    from curate.adapters import model_fetch
    from curate.errors import ModelError

    wrong = 0
    for wanted in _wanted(names, path):
        try:
            typer.echo(f"{wanted.name}: {model_fetch.verify(wanted)}")
        except ModelError as error:
            wrong += 1
            typer.echo(str(error), err=True)
    if wrong:
        raise typer.Exit(1)


def _wanted(names: list[str] | None, path: Path) -> list[Wanted]:
    from curate import params
    from curate.adapters import model_fetch
    from curate_pipelines import fingerprint

    if names:
        return [model_fetch.of_name(name) for name in names]
    return model_fetch.of_params(params.load(path), fingerprint.stages(path.with_name("dvc.yaml")))


@app.command("compare")
def compare(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="The new detector; that of params.yaml if left out.", show_default=False
        ),
    ] = None,
    *,
    before: Annotated[
        str | None,
        typer.Option(
            help="The other one: a folder or Hub id; what MODEL was trained to replace if left out."
        ),
    ] = None,
    as_json: AsJson = False,
    path: ParamsFile = _PARAMS,
) -> None:
    """Hold two detectors against the known answers (qa.gold), image by image, with intervals.

    MODEL suggests with the thresholds of taxonomy.yaml; the one that it took the place of with those of the
    day on which it was trained, another one with today's too. A detector that params.yaml names has the
    settings that stand there, another one defaults. Reads gold, the images and both detectors;
    writes metrics/model_comparison.json, which `curate report` shows.
    """
    import json

    from curate import params
    from curate.stages import compare_models as stage
    from curate_pipelines import engines, models

    settings = params.load(path)
    sides = _sides(settings, model, before)
    document = stage.run(
        settings.autolabel,
        settings.quality,
        before=sides[0],
        after=sides[1],
        inputs=stage.Inputs(
            Path("data/dedupe/images.parquet"),
            settings.autolabel.taxonomy,
            settings.qa.gold,
            settings.release.group_by,
        ),
        out=stage.OUT,
        ports=stage.Ports(
            models.models,
            engines.model_engine(
                settings.engine, settings.autolabel.device, workers=settings.autolabel.workers
            ),
        ),
    )
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    for line in stage.lines(document):
        typer.echo(line)


def _sides(settings: Params, model: str | None, before: str | None) -> tuple[Side, Side]:
    """Both detectors with their thresholds.

    Raises:
        InputError: Nobody says what MODEL is to be compared with, or which MODEL.
    """
    from curate.adapters.public_models import BY_NAME
    from curate.errors import InputError
    from curate.labeling import taxonomy, training_record
    from curate.stages.compare_models import Side

    today = {one.name: one.threshold for one in taxonomy.load(settings.autolabel.taxonomy)}
    current = settings.autolabel.detector

    def same(name: str, other: str) -> bool:
        one, two = (Path(text).expanduser() for text in (name, other))
        return one.absolute() == two.absolute()  # Hub ids too

    def named(name: str) -> Side:
        if current.kind != "none" and same(name, current.model):
            return Side(current, today)
        own = {
            "kind": "groundingdino" if name.endswith(".pth") else "transformers",
            "model": name,
            "revision": (BY_NAME[name].revision if name in BY_NAME else None) or "main",  # as it is fetched
            "sha256": None,
            "config": None,
        }
        return Side(current.model_copy(update=own), today)

    if model is None and current.kind == "none":
        raise InputError("autolabel.detector.kind is none: say which MODEL is to be compared")
    after = Side(current, today) if model is None else named(model)
    folder = training_record.folder_of(Path(after.detector.model))
    record = training_record.read(folder) if folder is not None else None
    replaced = record.before if record is not None else None
    if before is not None and (replaced is None or not same(replaced.detector.model, before)):
        return named(before), after
    if record is None or record.before is None:
        raise InputError(
            f"{after.detector.model} was not trained by `curate train`: say what it takes the place of, with "
            "--before"
        )
    return Side(record.before.detector, record.before.thresholds), after
