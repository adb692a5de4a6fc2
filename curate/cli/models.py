"""`curate models`: the weights of the models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import ParamsFile

if TYPE_CHECKING:
    from curate.adapters.model_fetch import Wanted

app = typer.Typer(help="The weights of the models: fetch, list, verify.", no_args_is_help=True)
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
    """Public weights and those of params.yaml (marked *): size, licence, digest, and where they are here.

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

    if names:
        return [model_fetch.of_name(name) for name in names]
    return model_fetch.of_params(params.load(path))
