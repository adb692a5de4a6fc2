"""Where raw files come from: the YAML list of sources. docs/ingest.md shows every kind.

    sources:
      - name: camera_a
        path: camera_a            # or one of list, table, archive, url, hf
        license: CC0-1.0
        attribution: Jane Doe
        attributes: camera_a.csv  # optional, kind path
    attributes: attributes.csv    # optional, for files of all sources of kind path

Relative paths are relative to the file that names them. Earlier sources have priority where the same bytes
occur in several.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import InputError
from curate.ingest import storage_options
from curate.ingest.label_files import LabelEntry
from curate.ingest.place_names import is_url
from curate.yamlfile import load_model, load_yaml

UNLISTED = "unlisted"
Kind = Literal["path", "list", "table", "archive", "url", "hf"]
KINDS: tuple[Kind, ...] = ("path", "list", "table", "archive", "url", "hf")


@dataclass(frozen=True, slots=True)
class Source:
    """Raw files with one license.

    Attributes:
        name: Begins every entry of the column `sources`.
        kind: What `where` is.
        where: Absolute path without links, or a URL; of an archive a pattern; of kind hf a name or a folder.
        license: SPDX-like identifier, or None if unknown.
        attribution: Whom to name, or None.
        sidecar: A file has its own `photo.jpg.json` or `photo.json` next to it.
        recheck: URLs that no listing describes are asked in each run whether they changed.
        column: Of a table the paths, of a dataset the images.
        columns: Of a table or dataset those that become attributes; None = all others.
        revision: Of a dataset on the Hub.
        split: Of a dataset.
        config: Of a dataset.
        storage: Options of the fsspec file system.
        hosts: Besides the host of its own URL those that storage goes to, as "example.org" or with a scheme.
        origin: File, line and name, for messages.
    """

    name: str
    kind: Kind
    where: str
    license: str | None = None
    attribution: str | None = None
    sidecar: bool = False
    recheck: bool = False
    column: str = "path"
    columns: tuple[str, ...] | None = None
    revision: str = "main"
    split: str = "train"
    config: str | None = None
    storage: Mapping[str, Any] = field(default_factory=dict, repr=False)
    hosts: tuple[str, ...] = ()
    origin: str = ""

    @property
    def base(self) -> str:
        """What names in this source are relative to: a folder, or a URL that ends with a slash."""
        if self.kind == "path":
            return self.where
        if is_url(self.where):
            return self.where if self.where.endswith("/") else self.where.rpartition("/")[0] + "/"
        return str(Path(self.where).parent)


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of a project.

    Attributes:
        sources: As listed; the last one takes what no other does.
        attributes: CSV files of attributes for sources of kind path.
        own_files: The list and the CSV files themselves, absolute: not images.
    """

    sources: tuple[Source, ...]
    attributes: tuple[Path, ...] = ()
    own_files: frozenset[Path] = frozenset()


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")
    path: str | None = Field(None, min_length=1)
    list: str | None = Field(None, min_length=1)
    table: str | None = Field(None, min_length=1)
    archive: str | None = Field(None, min_length=1)
    url: str | None = Field(None, min_length=1)
    hf: str | None = Field(None, min_length=1)
    license: str | None = None
    attribution: str | None = None
    attributes: str | tuple[str, ...] | None = None
    sidecar: bool = False
    recheck: bool = False
    column: str | None = None
    revision: str = "main"
    split: str = "train"
    config: str | None = None
    storage: dict[str, Any] = Field(default_factory=dict)
    hosts: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[_Entry, ...] = Field(min_length=1)
    attributes: str | None = None
    labels: tuple[LabelEntry, ...] = ()  # read by `label_files`


def load(raw: Path | None, listing: str | None) -> Sources:
    """The sources of a project.

    Args:
        raw: The raw folder; None = there is none beside what the file names.
        listing: Name of the YAML file, relative to `raw` or else to the project; None for one source, named
            after the folder, of unknown license.

    Raises:
        ParamsError: The file is missing or malformed, with its line.
        InputError: An entry does not fit, or a path in it leads nowhere.
    """
    root = None if raw is None else absolute(raw)
    if listing is None:
        if root is None:
            raise InputError("neither a raw folder nor a list of sources: name one of both")
        return Sources((Source(root.name or "raw", "path", str(root)),))
    path = (raw or Path()) / listing
    file = load_model(path, _File)
    _, lines = load_yaml(path)
    found: list[Source] = []
    tables: list[Path] = []
    for index, entry in enumerate(file.sources):
        where = f"{path}:{lines.get(('sources', index), 1)}: source {entry.name!r}"
        if entry.name == UNLISTED or entry.name in [source.name for source in found]:
            raise InputError(f"{where}: this name is taken: choose another")
        found.append(_source(entry, path.parent, where))
        if isinstance(entry.attributes, str) and entry.path is not None:
            tables.append(path.parent / entry.attributes)
    tables.extend([path.parent / file.attributes] if file.attributes else [])
    if root is not None and not any(one.kind == "path" and one.where == str(root) for one in found):
        found.append(Source(UNLISTED, "path", str(root)))
    return Sources(tuple(found), tuple(tables), frozenset(map(absolute, [path, *tables])))


def absolute(path: Path) -> Path:
    """`path` without `..`, its folders without links; a link at its end stays one."""
    plain = Path(os.path.normpath(Path.cwd() / path))
    return plain.parent.resolve() / plain.name if not plain.is_dir() else plain.resolve()


def _source(entry: _Entry, folder: Path, where: str) -> Source:
    kind, target = _kind(entry, where)
    _check_settings(entry, kind, where)
    return Source(
        name=entry.name,
        kind=kind,
        where=_where(kind, target, folder, where),
        license=entry.license,
        attribution=entry.attribution,
        sidecar=entry.sidecar,
        recheck=entry.recheck,
        column=entry.column or ("image" if kind == "hf" else "path"),
        columns=entry.attributes if isinstance(entry.attributes, tuple) else None,
        revision=entry.revision,
        split=entry.split,
        config=entry.config,
        storage=storage_options.options(entry.storage, where),
        hosts=entry.hosts,
        origin=where,
    )


def _kind(entry: _Entry, where: str) -> tuple[Kind, str]:
    given: list[tuple[Kind, str]] = [(kind, getattr(entry, kind)) for kind in KINDS if getattr(entry, kind)]
    if len(given) != 1:
        named = " and ".join(kind for kind, _ in given) or "none"
        raise InputError(f"{where}: exactly one of {', '.join(KINDS)} says where it is, got {named}")
    return given[0]


def _check_settings(entry: _Entry, kind: Kind, where: str) -> None:
    """A setting that this kind does not have would be passed over in silence."""
    fitting: dict[str, tuple[Kind, ...]] = {
        "sidecar": ("path", "list", "table", "url"),
        "recheck": ("list", "table", "url"),
        "column": ("table", "hf"),
        "revision": ("hf",),
        "split": ("hf",),
        "config": ("hf",),
        "storage": ("list", "table", "archive", "url"),
        "hosts": ("list", "table", "archive", "url"),
        "attributes": ("path", "table", "hf"),
    }
    for name, kinds in fitting.items():
        if name in entry.model_fields_set and kind not in kinds:
            raise InputError(f"{where}: {name} belongs to sources of kind {', '.join(kinds)}: remove it")
    if entry.attributes is not None and isinstance(entry.attributes, str) != (kind == "path"):
        wanted = (
            "the name of a CSV file" if kind == "path" else "a list of columns, such as [weather, camera]"
        )
        raise InputError(f"{where}: attributes of a source of kind {kind} is {wanted}")


def _where(kind: Kind, target: str, folder: Path, where: str) -> str:
    if is_url(target):
        if kind in ("path", "hf"):
            raise InputError(f"{where}: {kind} {target!r} is a URL: write url: {target}")
        if "@" in target.partition("://")[2].partition("/")[0]:
            raise InputError(f"{where}: the URL holds a password: move it to storage, as env:NAME")
        return target
    if kind == "url":
        raise InputError(
            f"{where}: url {target!r} has no protocol such as https:// or s3://: use path instead"
        )
    local = absolute(folder / target)
    if kind == "path" and not local.is_dir():
        kept = "it is a file: use list, table or archive" if local.is_file() else "correct it"
        raise InputError(f"{where}: path {target!r} is no folder: {kept}, or remove the entry")
    if kind in ("list", "table") and not local.is_file():
        raise InputError(f"{where}: {kind} {target!r} is no file: correct it, or remove the entry")
    if kind == "hf":
        return str(local) if local.is_dir() else target
    return str(local)
