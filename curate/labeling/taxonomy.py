"""taxonomy.yaml: the categories, what the detector is asked for, and how sure it must be."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from curate.errors import ParamsError
from curate.labeling import image_questions, object_questions
from curate.labeling.fitted_precision import Promise
from curate.labeling.image_questions import ChoiceEntry
from curate.labeling.object_questions import AttributeEntry
from curate.ports import ImageChoice, ObjectAttribute
from curate.records import Category
from curate.yamlfile import Location, load_model, load_yaml

NAME = r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$"


class _CategoryEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = Field(ge=0)
    name: str
    prompts: tuple[str, ...] = ()
    threshold: float = Field(ge=0, le=1)
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    description: str = ""
    parent: str | None = None
    title: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")

    @field_validator("name")
    @classmethod
    def _is_a_key(cls, name: str) -> str:
        """A name stands in tables, file names and other tools' formats: letters that all of them know."""
        if not re.fullmatch(NAME, name):
            raise ValueError(
                f"{name!r} is no key of letters a-z, digits, '_', '-' and spaces (at most 64): give it one "
                f"as name, and the word that people read as title"
            )
        return name

    def phrases(self) -> tuple[str, ...]:
        """The prompts in lower case with single spaces; empty ones are left out."""
        return tuple(phrase for prompt in self.prompts if (phrase := " ".join(prompt.lower().split())))


class _TaxonomyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: tuple[_CategoryEntry, ...]
    choices: tuple[ChoiceEntry, ...] = ()
    attributes: tuple[AttributeEntry, ...] = ()
    fitted: Promise | None = None


def load(path: Path) -> tuple[Category, ...]:
    """Read taxonomy.yaml.

    Returns:
        The categories, ordered by id.

    Raises:
        ParamsError: With the line: unknown or missing field, no category, a category without a prompt,
            an id, name or prompt given twice, an unknown parent, or parents that go round in a circle.

    Examples:
        >>> text = 'categories: [{id: 0, name: car, prompts: [car], threshold: 0.3, color: "#e6194b"}]'
        >>> _ = Path('taxonomy.yaml').write_text(text)
        >>> [category.name for category in load(Path('taxonomy.yaml'))]
        ['car']
    """
    file = load_model(path, _TaxonomyFile)
    _, lines = load_yaml(path)
    if not file.categories:
        raise ParamsError(f"{path}: categories is empty: name at least one")
    for index, entry in enumerate(file.categories):
        where = f"{path}:{lines.get(('categories', index), 1)}: category {entry.name!r}"
        if not entry.phrases():
            raise ParamsError(f"{where} has no prompt: add at least one phrase under prompts")
        if any("." in prompt or "?" in prompt for prompt in entry.prompts):
            raise ParamsError(f"{where} has a prompt with '.' or '?', which separate phrases: leave them out")
    _refuse_twice(path, file.categories, lines)
    _refuse_parents(path, file.categories, lines)
    return tuple(
        Category(
            name=entry.name,
            category_id=entry.id,
            prompts=entry.phrases(),
            threshold=entry.threshold,
            color=entry.color.lower(),
            description=entry.description,
            parent=entry.parent,
            title=" ".join(entry.title.split()),
        )
        for entry in sorted(file.categories, key=lambda entry: entry.id)
    )


def load_choices(path: Path) -> tuple[ImageChoice, ...]:
    """The questions about the whole image that taxonomy.yaml asks; most ask none.

    Raises:
        ParamsError: With the line: as `image_questions.checked` says.
    """
    return image_questions.checked(path, load_model(path, _TaxonomyFile).choices, load_yaml(path)[1])


def load_attributes(path: Path) -> tuple[ObjectAttribute, ...]:
    """The questions about each object that taxonomy.yaml asks; most ask none.

    Raises:
        ParamsError: With the line: as `object_questions.checked` says.
    """
    file = load_model(path, _TaxonomyFile)
    taken = [choice.name for choice in file.choices]
    known = [category.name for category in file.categories]
    return object_questions.checked(path, file.attributes, load_yaml(path)[1], taken=taken, categories=known)


def promise(path: Path) -> Promise | None:
    """What the file's thresholds are known to keep; None where they were not fitted.

    Raises:
        ParamsError: As `load`.
    """
    return load_model(path, _TaxonomyFile).fitted


def digest(categories: Sequence[Category]) -> str:
    """12 hex digits that change with any name, id, prompt, threshold, color, text or parent."""
    canonical = [
        [c.category_id, c.name, list(c.prompts), c.threshold, c.color, c.description, c.parent]
        + ([c.title] if c.title else [])  # without titles it is what it was before there were any
        for c in categories
    ]
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()[:12]


def remarks(categories: Sequence[Category]) -> list[str]:
    """What is allowed and yet most often a mistake: one line each."""
    found = []
    for a, b in itertools.combinations(categories, 2):
        if a.color == b.color:
            found.append(f"{a.name} and {b.name} have the same color {a.color}: no view tells them apart")
        if _plain(a.name) == _plain(b.name):
            found.append(f"{a.name} and {b.name} differ only in case or in what stands between the words")
    for a, b in itertools.permutations(categories, 2):
        found += [
            f"prompt {short!r} of {a.name} stands within {long!r} of {b.name}: both find the same things"
            for short, long in itertools.product(a.prompts, b.prompts)
            if f" {short} " in f" {long} "
        ]
    return found


def _plain(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ")


def _refuse_twice(path: Path, entries: Sequence[_CategoryEntry], lines: Mapping[Location, int]) -> None:
    """An id, a name or a prompt may stand only once; the message names the line of the second."""
    seen: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(entries):
        values = [("id", str(entry.id)), ("name", entry.name)]
        values += [("prompt", phrase) for phrase in entry.phrases()]
        for what, value in values:
            if (what, value) in seen:
                location = ("categories", index, "prompts" if what == "prompt" else what)
                raise ParamsError(
                    f"{path}:{lines.get(location, 1)}: {what} {value!r} is used twice, first by "
                    f"{seen[what, value]!r}: each must be unique"
                )
            seen[what, value] = entry.name


def _refuse_parents(path: Path, entries: Sequence[_CategoryEntry], lines: Mapping[Location, int]) -> None:
    parents = {entry.name: entry.parent for entry in entries}
    for index, entry in enumerate(entries):
        where = f"{path}:{lines.get(('categories', index, 'parent'), 1)}: parent {entry.parent!r}"
        if entry.parent is not None and entry.parent not in parents:
            near = difflib.get_close_matches(entry.parent, parents, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(parents)}"
            raise ParamsError(f"{where} of {entry.name!r} is no category; {hint}")
        way = [entry.name]
        while (up := parents.get(way[-1])) is not None and up not in way:
            way.append(up)
        if up == entry.name:
            raise ParamsError(f"{where} goes round in a circle: {' > '.join([*way, entry.name])}")
