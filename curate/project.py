"""A project: the folder with the params.yaml and dvc.yaml that `curate init` made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PARAMS: Final = "params.yaml"
_PIPELINE, _OURS = "dvc.yaml", "curate run "  # other programs' projects have files of these names too


def find(start: Path) -> Path | None:
    """The project that a folder lies in.

    Args:
        start: The folder, such as the one that the user stands in.

    Returns:
        `start` if it holds a params.yaml, else the nearest folder above it that holds one beside a dvc.yaml
        of curate's stages; None if there is none.

    Example:
        >>> from tempfile import mkdtemp
        >>> inside = Path(mkdtemp()).resolve() / 'data'
        >>> inside.mkdir()
        >>> _ = (inside.parent / 'params.yaml').write_text('')
        >>> _ = (inside.parent / 'dvc.yaml').write_text('stages: {ingest: {cmd: curate run ingest}}')
        >>> find(inside) == inside.parent
        True
    """
    folder = start.resolve()
    if (folder / PARAMS).is_file():
        return folder
    return next(filter(_is_project, folder.parents), None)


def _is_project(folder: Path) -> bool:
    try:
        return (folder / PARAMS).is_file() and _OURS in (folder / _PIPELINE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
