"""The plan of a migration: which categories are renamed, merged or split; checked against taxonomy.yaml."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import ParamsError
from curate.labeling import taxonomy
from curate.records import Category
from curate.yamlfile import Location, load_model, load_yaml


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Rename(_Entry):
    from_: str = Field(alias="from", pattern=taxonomy.NAME)
    to: str


class _Merge(_Entry):
    from_: tuple[str, ...] = Field(alias="from", min_length=1)
    to: str


class _Split(_Entry):
    from_: str = Field(alias="from", pattern=taxonomy.NAME)
    into: tuple[str, ...] = Field(min_length=2)
    otherwise: str


class _PlanFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rename: tuple[_Rename, ...] = ()
    merge: tuple[_Merge, ...] = ()
    split: tuple[_Split, ...] = ()
    duplicate_iou: float = Field(0.5, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class Split:
    """Category that becomes several.

    Attributes:
        source: Its name so far.
        into: The names that take its place; `source` may be one of them.
        otherwise: The one of `into` that a row gets of which nothing better is known.
        owners: Category of `into` by prompt: a suggestion goes where its prompt went.
    """

    source: str
    into: tuple[str, ...]
    otherwise: str
    owners: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to every row.

    Attributes:
        digest: 12 hex digits of the plan's content.
        renamed: New name by old name.
        merged: New name by old name; several old ones may have one new name.
        splits: Categories that become several.
        duplicate_iou: From this IoU on two objects of one annotator that a merge made one category are
            listed as a probable duplicate.
    """

    digest: str
    renamed: dict[str, str]
    merged: dict[str, str]
    splits: tuple[Split, ...]
    duplicate_iou: float


def load(path: Path, categories: Sequence[Category]) -> Plan:
    """Read a plan and hold it against the taxonomy as it is to be.

    Args:
        path: YAML with any of `rename`, `merge`, `split`, and `duplicate_iou`.
        categories: The new taxonomy: it names every target, and no source but one that a split keeps.

    Raises:
        ParamsError: With the line: unknown field or target, a source that is still there, a name that is
            source or target twice in ways that contradict each other, or nothing to do.
    """
    file = load_model(path, _PlanFile)
    _, lines = load_yaml(path)
    names = [category.name for category in categories]
    targets = {target for _, _, tos in _moves(file) for target in tos}
    sources: set[str] = set()
    for location, froms, tos in _moves(file):
        where = f"{path}:{lines.get(location, 1)}"
        for target in tos:
            _refuse_target(where, target, names)
        for source in froms:
            if source in sources:
                raise ParamsError(f"{where}: {source!r} is moved twice: give it one place to go")
            _refuse_source(where, source, tos, targets=targets, names=names)
            sources.add(source)
    if not sources:
        raise ParamsError(f"{path}: nothing to do: name at least one category under rename, merge or split")
    for index, split in enumerate(file.split):
        if split.otherwise not in split.into:
            raise ParamsError(
                f"{path}:{lines.get(('split', index, 'otherwise'), 1)}: otherwise = {split.otherwise!r} is "
                f"none of {', '.join(split.into)}"
            )
    return _plan(file, categories)


def _refuse_target(where: str, target: str, names: Sequence[str]) -> None:
    if target not in names:
        near = difflib.get_close_matches(target, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "edit taxonomy.yaml first"
        raise ParamsError(f"{where}: the taxonomy has no category {target!r}; {hint}")


def _refuse_source(
    where: str, source: str, tos: Sequence[str], *, targets: Set[str], names: Sequence[str]
) -> None:
    if source in tos:  # a split that keeps the old name for a part
        return
    if source in targets:
        raise ParamsError(
            f"{where}: {source!r} is both left and gone to: make two plans, one after the other"
        )
    if source in names:
        raise ParamsError(f"{where}: the taxonomy still has {source!r}: take it out of taxonomy.yaml first")


def _moves(file: _PlanFile) -> Iterator[tuple[Location, tuple[str, ...], tuple[str, ...]]]:
    """Location, sources and targets of every entry."""
    for index, rename in enumerate(file.rename):
        yield ("rename", index), (rename.from_,), (rename.to,)
    for index, merge in enumerate(file.merge):
        # "merge car and van into car" is a merge of van.
        yield ("merge", index), tuple(name for name in merge.from_ if name != merge.to), (merge.to,)
    for index, split in enumerate(file.split):
        yield ("split", index), (split.from_,), split.into


def _plan(file: _PlanFile, categories: Sequence[Category]) -> Plan:
    return Plan(
        digest=hashlib.sha256(file.model_dump_json().encode()).hexdigest()[:12],
        renamed={entry.from_: entry.to for entry in file.rename},
        merged={name: entry.to for entry in file.merge for name in entry.from_ if name != entry.to},
        splits=tuple(
            Split(
                source=entry.from_,
                into=entry.into,
                otherwise=entry.otherwise,
                owners={
                    prompt: category.name
                    for category in categories
                    if category.name in entry.into
                    for prompt in category.prompts
                },
            )
            for entry in file.split
        ),
        duplicate_iou=file.duplicate_iou,
    )
