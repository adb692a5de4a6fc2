"""`curate upscale`: images made larger by a model, without a project; models as files for deployment."""

from __future__ import annotations

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from curate.cli.options import HERE, Root, checked, user_path


class _ImagesFirst(TyperGroup):
    """`curate upscale FOLDER` is `curate upscale images FOLDER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the command where it was left out."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["images", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(help="Make images larger by a model.", no_args_is_help=True, cls=_ImagesFirst)


@app.command("images")
def images(
    places: Annotated[
        list[Path],
        typer.Argument(parser=user_path, metavar="IMAGES...", help="Folders of images, or images."),
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            help="Weights: .pth, .safetensors, .param (ncnn), .onnx, folder of diffusers; bicubic = none."
        ),
    ],
    out: Annotated[Path, typer.Option(parser=user_path, help="Folder of the results, PNG.")],
    license: Annotated[
        str | None,
        typer.Option(help="License of the weights, such as bsd-3-clause, if their name does not tell."),
    ] = None,
    use: Annotated[
        str | None,
        typer.Option(help="License under which you pass results on; weights that forbid it are refused."),
    ] = None,
    commercial_use: Annotated[
        bool, typer.Option("--commercial-use", help="The license is `other` and allows commercial use.")
    ] = False,
    fit: Annotated[str | None, typer.Option(help="Pixels to fit into, such as 2000x2000.")] = None,
    tile: Annotated[int, typer.Option(help="Pixels of a side that the model sees at once.")] = 256,
    overlap: Annotated[int, typer.Option(help="Pixels that neighboring tiles share.")] = 32,
    png_level: Annotated[int, typer.Option(help="0 = fast and large, 9 = slow and small.")] = 4,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    workers: Annotated[
        int, typer.Option(help="Processes with a model each; 0 = as cores and memory go.")
    ] = 0,
    no_page: Annotated[bool, typer.Option("--no-page", help="Write no contact sheet.")] = False,
) -> None:
    """Upscale IMAGES into OUT; what is there already is not made again.

    Reads the images below IMAGES; alpha, ICC profile and 16 bits are kept. Writes OUT: a PNG per image,
    upscaled.csv with a row per image and the license of the weights, and contact-sheet.html.
    Exit code 1 if an image failed.
    """
    from curate.adapters import upscalers
    from curate.engines import factory
    from curate.params import EngineParams, UpscaleParams
    from curate.report import upscale_page
    from curate.restoration import weights_license
    from curate.stages import upscale, upscale_folder

    allowed = weights_license.of_use(use) if use is not None else None
    name, place = Path(model).stem, user_path(model)
    values = {"models": {name: str(place) if place.suffix or place.is_dir() else model}, "workers": workers}
    values |= {"licenses": {name: license} if license else {}, "fit": fit, "tile": tile, "overlap": overlap}
    values |= {"png_level": png_level, "device": device, "commercial_use": [name] * commercial_use}
    settings = checked(UpscaleParams, values)
    upscalers.check_there(settings.models[name], setting="--model")
    load = functools.partial(
        upscalers.load,
        scale=None,
        device=settings.device,
        precision=settings.precision,
        device_setting="--device",
    )
    engine = factory.model_engine(EngineParams(), device, workers=workers)
    done = upscale_folder.run(
        settings, places=places, out=out, ports=upscale.Ports(load, engine), release_license=allowed
    )
    if not no_page:
        typer.echo(f"page: {upscale_page.write(done.rows, out / 'contact-sheet.html')}")
    typer.echo(done.line)
    for row in done.failed:
        typer.echo(f"failed: {row['detail']}", err=True)
    if done.failed:
        raise typer.Exit(1)


class Format(StrEnum):
    """What a model can be exported to."""

    ONNX = "onnx"
    NCNN = "ncnn"


@app.command("export")
def export(
    weights: Annotated[
        Path, typer.Argument(parser=user_path, help="Weights of PyTorch: .pth, .safetensors.")
    ],
    *,
    to: Annotated[Format, typer.Option(help="The format.")],
    out: Annotated[Path, typer.Option(parser=user_path, help="Folder of the file and its card.")],
    license: Annotated[
        str | None, typer.Option(help="License of the weights, if their name does not tell.")
    ] = None,
) -> None:
    """Write a model as files that run without PyTorch, checked against it at three sizes, with a card.

    Reads WEIGHTS; writes OUT: the file (of ncnn two), README.md with sha256, license and the differences
    found, and for ONNX tensorrt.sh, the command that makes an engine of it, which is not run.
    """
    from curate import tables
    from curate.adapters import ncnn_export, onnx_export, spandrel_upscaler
    from curate.adapters import weights as files
    from curate.release import model_card
    from curate.restoration import weights_license

    spandrel_upscaler.check_file(weights)
    allowed = weights_license.license_of(weights.stem, str(weights), license)
    if to is Format.ONNX:
        made = onnx_export.export(weights, out / f"{weights.stem}.onnx")
    else:
        made = ncnn_export.export(weights, out / f"{weights.stem}.param")
    texts = {
        "README.md": model_card.card(
            name=weights.stem,
            license=allowed,
            scale=made.scale,
            kind=to.value,
            files={path.name: files.sha256(path) for path in made.files},
            source=(weights.name, files.sha256(weights)),
            checks=[(one.height, one.width, one.difference) for one in made.checks],
        )
    }
    if to is Format.ONNX:
        texts["tensorrt.sh"] = model_card.tensorrt_script(made.files[0].name)
    for name, text in texts.items():
        with tables.replacing(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    worst = max(one.difference for one in made.checks)
    typer.echo(
        f"export: {made.files[0]}, x{made.scale}, within {worst:.1e} of PyTorch at {len(made.checks)} sizes"
    )


@app.command("worst")
def worst(
    root: Root = HERE,
    out: Annotated[
        Path | None, typer.Option(parser=user_path, help="The page; data/measure/worst.html by default.")
    ] = None,
) -> None:
    """Write an HTML page of a project's worst and most disputed results, with a slider to the clean images.

    Reads the tables of pairs, upscale and measure, and the images; writes OUT.
    """
    from curate.report import measured_page

    typer.echo(f"page: {measured_page.write(root, out or root / 'data/measure/worst.html')}")
