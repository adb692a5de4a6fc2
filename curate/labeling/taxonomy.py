"""taxonomy.yaml: the categories, what the detector is asked for, and how sure it must be."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curate.errors import ParamsError
from curate.records import Category
from curate.yamlfile import load_model, load_yaml


class _CategoryEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int = Field(ge=0)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$")
    prompts: tuple[str, ...] = ()
    threshold: float = Field(ge=0, le=1)
    color: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    description: str = ""


class _TaxonomyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: tuple[_CategoryEntry, ...]


def load(path: Path) -> tuple[Category, ...]:
    """Read taxonomy.yaml.

    Returns:
        The categories, ordered by id.

    Raises:
        ParamsError: With the line: unknown or missing field, no category, a category without a prompt,
            an id, name or prompt given twice.
    """
    file = load_model(path, _TaxonomyFile)
    _, lines = load_yaml(path)
    if not file.categories:
        raise ParamsError(f"{path}: categories is empty: name at least one")
    for index, entry in enumerate(file.categories):
        where = f"{path}:{lines.get(('categories', index), 1)}: category {entry.name!r}"
        if not [prompt for prompt in entry.prompts if prompt.strip()]:
            raise ParamsError(f"{where} has no prompt: add at least one phrase under prompts")
        if any("." in prompt or "?" in prompt for prompt in entry.prompts):
            raise ParamsError(f"{where} has a prompt with '.' or '?', which separate phrases: leave them out")
    for what, values in (
        ("id", [str(entry.id) for entry in file.categories]),
        ("name", [entry.name for entry in file.categories]),
        ("prompt", [prompt.strip().lower() for entry in file.categories for prompt in entry.prompts]),
    ):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise ParamsError(f"{path}: {what} {twice[0]!r} is used twice: each must be unique")
    return tuple(
        Category(
            name=entry.name,
            category_id=entry.id,
            prompts=tuple(prompt.strip().lower() for prompt in entry.prompts if prompt.strip()),
            threshold=entry.threshold,
            color=entry.color.lower(),
            description=entry.description,
        )
        for entry in sorted(file.categories, key=lambda entry: entry.id)
    )


def digest(categories: tuple[Category, ...]) -> str:
    """12 hex digits that change with any name, id, prompt, threshold, colour or description."""
    canonical = [
        [c.category_id, c.name, list(c.prompts), c.threshold, c.color, c.description] for c in categories
    ]
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()[:12]
