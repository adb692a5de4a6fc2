"""What the card of a release states, from the tables, figures and texts of the project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from curate import schema, tables
from curate.agreement.gates import read_figures
from curate.errors import ReleaseError
from curate.release import object_rows, object_support
from curate.release.card import CardFacts
from curate.release.release_content import Content


def summary(facts: CardFacts) -> str:
    """The data set in a sentence."""
    images = sum(facts.images.values())
    objects = sum(count for by_split in facts.objects.values() for count in by_split.values())
    return f"{images:,} images with {objects:,} objects of {len(facts.taxonomy)} categories."


def models(annotations: Path) -> tuple[str, ...]:
    """Versions of the models that proposed annotations.

    Raises:
        TableError: The table is missing or damaged.
    """
    column = tables.read(annotations, schema.ANNOTATIONS, columns=["model_version"]).column("model_version")
    return tuple(sorted(pc.unique(column).drop_null().to_pylist()))


def example(content: Content, split_of: Sequence[str]) -> dict[str, Any]:
    """The first row with an object, without its picture."""
    index = int(np.argmax(np.diff(content.offsets) > 0))
    kinds = {column.name: column.kind for column in content.columns()}
    names = [name for name in kinds if name in content.images.column_names and name != "answers"]
    row = {name: content.images.column(name)[index].as_py() for name in names}
    objects = object_rows.of_image(content, index)
    return {
        **row,
        "answers": object_support.answers(content.images.slice(index, 1).to_pylist()[0]),
        "split": split_of[index],
        "objects": {field.name: objects[field.name] for field in kinds["objects"]},
    }


def f1_by_category(path: Path) -> dict[str, tuple[float | None, float | None, float | None]]:
    """F1 between labelers by category, with the ends of its interval; None = undefined.

    Raises:
        TableError: The table is missing or damaged.
    """
    return {
        name: (found.value, found.low, found.high)
        for (figure, by, name), found in read_figures(path).items()
        if (figure, by) == ("f1", "category") and name is not None
    }


def text(name: str, path: Path | None) -> str:
    """What a file of the user's says; an empty string without one.

    Raises:
        ReleaseError: It cannot be read; `name` is the parameter that names it.
    """
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{name} = {path} cannot be read: {error}") from error


def metrics(path: Path) -> dict[str, Any]:
    """The metrics file of an earlier stage.

    Raises:
        ReleaseError: It is missing or damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path} cannot be read ({error}): run dvc repro --force {path.stem}") from error
    if not isinstance(found, dict):
        raise ReleaseError(f"{path} holds no metrics: run dvc repro --force {path.stem}")
    return found
