"""Options that several commands have, and paths as the user means them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from curate import project

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


Root = Annotated[
    Path, typer.Option("--root", parser=user_path, help="The project's folder.", show_default=False)
]
HERE = Path()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ParamsFile = Annotated[
    Path,
    typer.Option("--params", parser=user_path, help="Parameters; defaults if there is no such file."),
]
