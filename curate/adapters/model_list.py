"""The table that `curate models list` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curate.adapters import model_fetch, weights
from curate.adapters.model_fetch import Wanted
from curate.adapters.public_models import PUBLIC

_HEAD = ("", "name", "adapter", "size", "license", "sha256", "here")


def lines(named: Sequence[Wanted]) -> list[str]:
    """One line per model, columns aligned.

    Args:
        named: By params.yaml: marked with *, and at the top where they are not public.
    """
    public = {model.name for model in PUBLIC}
    rows = [_HEAD]
    rows += [_row(wanted) for wanted in named if wanted.name not in public]
    by_name = {wanted.name: wanted for wanted in named}
    rows += [_row(by_name.get(model.name) or model_fetch.of_name(model.name)) for model in PUBLIC]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(wanted: Wanted) -> tuple[str, str, str, str, str, str, str]:
    public = wanted.public
    digest = wanted.sha256 or (public.sha256 if public is not None else None)
    here = model_fetch.there(wanted)
    return (
        "*" if wanted.setting else "",
        wanted.name,
        public.kind if public is not None else "own",
        _size(wanted, here),
        public.license if public is not None else "?",
        digest[:12] if digest is not None else "not known",
        str(here) if here is not None else "-",
    )


def _size(wanted: Wanted, here: Path | None) -> str:
    """Size of the weights file that is here, else of the published one; "?" where neither is known."""
    file = weights.main_file(here) if here is not None and here.is_dir() else here
    size = file.stat().st_size if file is not None else wanted.public.size if wanted.public else None
    return f"{size / 1e6:,.0f} MB" if size is not None else "?"
