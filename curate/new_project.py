"""A new project from a template: what `curate init` writes.

Templates are folders in curate/templates/. A file that ends with .j2 is filled in, any other is copied;
`dot_` at the beginning of a name stands for the dot of a hidden file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import jinja2
import pydantic
import yaml

from curate import formats, pipeline_templates, tables
from curate.errors import InputError
from curate.ingest.place_names import is_url
from curate.labeling import taxonomy_entries
from curate.params import ReleaseParams

_FILLED, _HIDDEN = ".j2", "dot_"
# What a file of images is to ingest, by its ending; anything else that is no folder is a URL.
_KINDS: Final = {
    "archive": (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip"),
    "table": (".csv", ".parquet", ".jsonl", ".ndjson"),
    "list": (".txt",),
}
_OURS_ALREADY: Final = {".git"}  # what may lie in a folder that counts as empty


@dataclass(frozen=True, slots=True)
class Source:
    """Place of the images: the one entry of the new sources.yaml.

    Attributes:
        name: Begins every name of an image in the tables.
        kind: A kind of source that ingest knows.
        where: A URL, or a path as it was typed, relative to the project unless absolute.
    """

    name: str
    kind: str
    where: str


def update_pipeline(path: Path) -> tuple[str, ...]:
    """Bring a project's dvc.yaml to this version of curate; the file as it was becomes dvc.yaml.old.

    Returns:
        What it lacked; nothing was written where it lacked nothing.

    Raises:
        InputError: It has stages of the user's, which would be lost.
        ParamsError: The file is missing or not YAML.
        StorageError: The disk refuses.
    """
    template, lacking = pipeline_templates.nearest(path)
    if not lacking:
        return ()
    own = pipeline_templates.own_stages(path, template)
    if own:
        raise InputError(f"{path} has stages of yours ({', '.join(own)}): add by hand {'; '.join(lacking)}")
    with tables.replacing(path.with_name(f"{path.name}.old")) as old:
        shutil.copyfile(path, old)
    with tables.replacing(path) as partial:
        partial.write_text(pipeline_templates.dvc_yaml(template), encoding="utf-8")
    return lacking


def create(folder: Path, *, images: str, template: str, labels: Sequence[Path] = ()) -> tuple[str, ...]:
    """Write a project into a new or empty folder, and make it a git repository unless it lies in one.

    Needs no network. Nothing is written where something would be refused or overwritten.

    Args:
        folder: The project's; its name becomes that of the data set.
        images: A folder, a list (.txt), a table (.csv, .parquet, .jsonl), an archive (.tar, .zip; braces and
            `*` stand for many), or a URL of one of these.
        template: One of `pipeline_templates.names()`.
        labels: Files or folders in a format of `curate.formats`, whose categories begin the taxonomy.

    Returns:
        Names of the files written, sorted.

    Raises:
        InputError: The folder is not empty or its name is none for a data set; there are no such images,
            labels or template, or labels of no category; or git is not installed.
        StorageError: The disk refuses.
    """
    if template not in (known := pipeline_templates.names()):
        raise InputError(f"there is no template {template!r}: choose one of {', '.join(known)}")
    if labels and not (pipeline_templates.folder(template) / "taxonomy.yaml.j2").is_file():
        raise InputError(f"the template {template} has no categories: leave the labels out")
    if not shutil.which("git"):
        raise InputError("git is not installed: install it (apt-get install git), then run this again")
    _refuse_folder(folder)
    values = {"name": _name(folder), "source": source(images, folder), "categories": _categories(labels)}
    contents = dict(_filled_in(pipeline_templates.folder(template), values))
    _write(folder, contents)
    inside = ["git", "-C", str(folder), "rev-parse", "--is-inside-work-tree"]
    if subprocess.run(inside, capture_output=True, check=False).returncode:
        subprocess.run(["git", "-C", str(folder), "init", "--quiet"], check=True)
    return tuple(sorted(contents))


def _categories(labels: Sequence[Path]) -> tuple[taxonomy_entries.Entry, ...]:
    names: dict[str, None] = {}
    for path in labels:
        found = formats.read_categories(path)
        if not found:
            raise InputError(f"{path} names no category: leave it out, or name the right file")
        names |= dict.fromkeys(found)
    return taxonomy_entries.entries(tuple(names))


def source(images: str, folder: Path) -> Source:
    """The entry of sources.yaml for what `--images` names.

    Args:
        images: As for `create`.
        folder: The project's, which relative paths become relative to.

    Raises:
        InputError: Neither a URL, nor a folder or file that is there; or the project lies in the folder.
    """
    kind, end = next(
        ((kind, end) for kind, ends in _KINDS.items() for end in ends if images.lower().endswith(end)),
        (None, ""),
    )
    if is_url(images):
        return Source(_source_name(images.removesuffix(end)), kind or "url", images)
    path = Path(images)
    if path.is_dir():
        if folder.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{folder} would lie among the images of {images}: make the project beside them")
        kind = "path"
    elif kind is None or not (path.is_file() or (kind == "archive" and set("{*") & set(images))):
        raise InputError(
            f"{images} is no folder, list (.txt), table (.csv, .parquet, .jsonl), archive (.tar, .zip) "
            "or URL of images: correct it"
        )
    where = images if path.is_absolute() else os.path.relpath(path, folder)
    return Source(_source_name(path.resolve().name[: -len(end) or None]), kind, where)


def _source_name(place: str) -> str:
    """The last part of a place, in letters that a source's name may have, up to a pattern's braces or `*`."""
    last = re.split(r"[{*]", PurePosixPath(place.rstrip("/")).name)[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:100] or "images"


def _refuse_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose another name")
    held = sorted({one.name for one in folder.iterdir()} - _OURS_ALREADY) if folder.is_dir() else []
    if held:
        raise InputError(
            f"{folder} is not empty (it holds {held[0]}): choose another folder, nothing was written"
        )


def _name(folder: Path) -> str:
    name = folder.resolve().name
    try:
        return ReleaseParams(name=name).name
    except pydantic.ValidationError as error:
        raise InputError(
            f"{name!r} is no name for a data set: letters, digits, and between them spaces, '.', '_' and '-'"
        ) from error


def _filled_in(template: Traversable, values: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file."""
    environment = jinja2.Environment(  # noqa: S701 - YAML, no page: the filter below quotes
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters["yaml"] = _yaml
    for one in template.iterdir():
        name = f".{one.name.removeprefix(_HIDDEN)}" if one.name.startswith(_HIDDEN) else one.name
        if one.is_dir():
            yield from ((f"{name}/{inner}", content) for inner, content in _filled_in(one, values))
        elif name.endswith(_FILLED):
            text = environment.from_string(one.read_text(encoding="utf-8")).render(values)
            yield name.removesuffix(_FILLED), text.encode()
        else:
            yield name, one.read_bytes()


def _yaml(value: str) -> str:
    """A text as YAML writes it in a line, with quotes where it needs them."""
    return yaml.safe_dump(value, allow_unicode=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """All files or none; a file that is there is never overwritten."""
    written: list[Path] = []
    try:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                written.append(path)
                file.write(content)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise tables.storage_error(error, folder) from error
