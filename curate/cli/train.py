"""`curate train`: a release to a trainer, and its checkpoint back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import user_path

if TYPE_CHECKING:
    from curate.labeling.training_record import DetectorBefore
    from curate.params import Params
    from curate.records import Category
    from curate.stages.train import Trained
    from curate.stages.training_images import Gold

_PARAMS = Path("params.yaml")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_IMAGES = Path("data/dedupe/images.parquet")


def train(
    release: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE",
            help="A release folder, a folder of published ones, or hf://owner/name[@revision].",
        ),
    ] = "",
    *,
    command: Annotated[
        str,
        typer.Option(
            "--with", help="The trainer, with {data} and {out}; {categories} and {seed} if it takes them."
        ),
    ],
    format: Annotated[
        str, typer.Option("--format", "-f", help="Of {data}: coco, yolo, yolo-seg or datasets.")
    ] = "coco",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", parser=user_path, help="The checkpoint's folder; models/NAME-vVERSION."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="This one: as it was published, or as a tag of the project's git has it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Handed to the trainer as {seed} and CURATE_SEED.")] = 0,
    license: Annotated[str | None, typer.Option(help="Of the checkpoint, for its record.")] = None,
) -> None:
    """Hand RELEASE (data/release if left out) to a trainer of yours; its checkpoint comes back as detector.

    Reads the release, params.yaml, taxonomy.yaml and the known answers. The trainer gets the splits train and
    validation; never the test split, nor images with known answers. Writes OUT, whole or not at all, with
    training.json, trained_on.csv and training.log in it; a training that is there already is not repeated.
    """
    from curate import params
    from curate.adapters import release_place
    from curate.release import manifest
    from curate.stages import train as stage

    settings = params.load(_PARAMS) if _PARAMS.exists() else None
    categories = _categories(settings)
    place = release if release.startswith(release_place.HUB) else user_path(release or Path("data/release"))
    published = (settings or params.Params()).publish
    with tempfile.TemporaryDirectory(prefix="curate-train-") as scratch:
        found = release_place.find(place, version, published, Path(scratch))
        facts = manifest.read(found.folder)
        folder = out or Path("models") / f"{facts.name}-v{facts.version}"
        done = stage.run(
            stage.Order(command, format, seed, license),
            inputs=stage.Inputs(
                found.folder, found.whole, _gold(settings, categories), _before(settings, categories)
            ),
            folder=folder,
            ports=stage.Ports(
                load=lambda path: _load(path, settings, categories, list(facts.objects)),
                echo=lambda chunk: typer.echo(chunk, nl=False),
            ),
        )
    _tell(done, folder, settings)


def _tell(done: Trained, folder: Path, settings: Params | None) -> None:
    typer.echo(done.report.line())
    if settings is None:
        typer.echo(
            "images with known answers are not known outside a project: only the test split is held back"
        )
    elif not any("known answers" in reason for reason in done.record.held_back):
        typer.echo("no image of the splits train and validation has known answers (qa.gold), nor its scene")
    if not done.fresh:
        typer.echo(
            f"{folder} holds this training already: release, command, seed and the files that it names are "
            "the same; --out OTHER trains again"
        )
    if done.record.detector:
        typer.echo(f"{folder} is a detector; in params.yaml, under autolabel.detector:")
        typer.echo(f"    model: {folder}")
        for line in _more(done, settings):
            typer.echo(f"    {line}")
        typer.echo("then: dvc repro autolabel; curate thresholds fit; dvc repro; curate models compare")
    else:
        typer.echo(
            f"{folder} holds no config.json, so it is no checkpoint that autolabel.detector reads; what it "
            "predicts can be imported: curate import FILE --as suggestions"
        )


def _more(done: Trained, settings: Params | None) -> list[str]:
    """Lines beside `model` that the settings of the detector now would make wrong."""
    if settings is None:
        return []
    now = settings.autolabel.detector
    pin = next((done.record.weights[name] for name in _WEIGHTS if name in done.record.weights), "null")
    return [
        *(["kind: transformers"] if now.kind != "transformers" else []),
        *([f"sha256: {pin}"] if now.sha256 is not None else []),
    ]


def _categories(settings: Params | None) -> tuple[Category, ...]:
    from curate.labeling import taxonomy

    if settings is None or not settings.autolabel.taxonomy.exists():
        return ()
    return taxonomy.load(settings.autolabel.taxonomy)


def _gold(settings: Params | None, categories: tuple[Category, ...]) -> Gold | None:
    """What a project holds back.

    Raises:
        InputError: Answers are known, and the table that tells of which images is not there.
    """
    from curate.errors import InputError
    from curate.stages import training_images

    if settings is None:
        return None
    if not _IMAGES.exists():
        known = [
            path for path in (settings.qa.gold, settings.dedupe.decisions) if _names_gold(path, settings)
        ]
        if known:
            raise InputError(
                f"{_IMAGES} is missing: without it nobody knows which images have the known answers of "
                f"{known[0]}: run `dvc repro dedupe` or `dvc checkout`"
            )
        return None
    names = [category.name for category in categories]
    return training_images.gold(
        settings.qa.gold, settings.dedupe.decisions, _IMAGES, names, group_by=settings.release.group_by
    )


def _names_gold(path: Path | None, settings: Params) -> bool:
    """Whether it is the file of gold, or decisions of which one makes gold."""
    if path is None or path == settings.qa.gold:
        return path is not None
    return path.exists() and ",gold," in path.read_text(encoding="utf-8", errors="replace")


def _before(settings: Params | None, categories: tuple[Category, ...]) -> DetectorBefore | None:
    from curate.labeling.training_record import DetectorBefore

    if settings is None or settings.autolabel.detector.kind == "none":
        return None
    thresholds = {category.name: category.threshold for category in categories}
    return DetectorBefore(detector=settings.autolabel.detector, thresholds=thresholds)


def _load(folder: Path, settings: Params | None, categories: tuple[Category, ...], names: list[str]) -> None:
    """Load a checkpoint as the stage autolabel would, and let it look for the categories in a gray image."""
    import numpy as np

    from curate import params
    from curate.records import Category
    from curate_pipelines import models

    asked = categories or tuple(
        Category(name=name, category_id=number, prompts=(name,), threshold=0.5, color="#808080")
        for number, name in enumerate(names)
    )
    autolabel = (settings or params.Params()).autolabel
    own = autolabel.detector.model_copy(update={"kind": "transformers", "model": str(folder), "sha256": None})
    detector = models.detector(autolabel.model_copy(update={"detector": own}))
    detector.detect([np.full((64, 64, 3), 128, dtype=np.uint8)], asked)
