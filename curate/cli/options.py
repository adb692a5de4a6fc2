"""Options that several commands have, and paths as the user means them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from curate import project
from curate.errors import ParamsError

Model = TypeVar("Model", bound=BaseModel)

_stood: list[Path] = []  # where the user stood, if that was below the project's folder


def enter_project() -> None:
    """Go to the folder of the project that the user stands in, so that every command works below it too."""
    _stood.clear()
    here = Path.cwd()
    root = project.find(here)
    if root is not None and root != here.resolve():
        _stood.append(here)
        os.chdir(root)


def user_path(given: str | Path) -> Path:
    """A path that was typed is relative to where its user stands; a default, a `Path`, to the project."""
    if isinstance(given, Path) or not _stood:
        return Path(given)
    return Path(os.path.relpath(_stood[0] / given))


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Settings from options of the same names.

    Raises:
        ParamsError: One is out of range; named as the user typed it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = (
            f"--{first['loc'][0]} = {first['input']!r} is refused: ".replace("_", "-") if first["loc"] else ""
        )
        raise ParamsError(f"{name}{first['msg'].removeprefix('Value error, ')}") from error


Root = Annotated[
    Path, typer.Option("--root", parser=user_path, help="The project's folder.", show_default=False)
]
HERE = Path()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ParamsFile = Annotated[
    Path,
    typer.Option("--params", parser=user_path, help="Parameters; defaults if there is no such file."),
]
