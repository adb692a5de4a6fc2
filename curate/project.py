"""A project: the folder with dvc.yaml and params.yaml that `curate init` made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MARKS: Final = ("dvc.yaml", "params.yaml")


def find(start: Path) -> Path | None:
    """The project that a folder lies in.

    Args:
        start: The folder, such as the one that the user stands in.

    Returns:
        The nearest folder upward, `start` included, that holds dvc.yaml and params.yaml; None without one.

    Example:
        >>> from tempfile import mkdtemp
        >>> inside = Path(mkdtemp()).resolve() / 'data'
        >>> inside.mkdir(parents=True)
        >>> for name in MARKS:
        ...     _ = (inside.parent / name).write_text('')
        >>> find(inside) == inside.parent
        True
    """
    folder = start.resolve()
    return next(
        (one for one in (folder, *folder.parents) if all((one / mark).is_file() for mark in MARKS)), None
    )
