"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[Path, typer.Option("--root", help="The project's folder.", show_default=False)]
HERE = Path()
ParamsFile = Annotated[Path, typer.Option("--params", help="Parameters; defaults if there is no such file.")]
