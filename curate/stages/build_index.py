"""An index of any images: a folder of files or an images table; what leaks are searched in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.dedupe import feature_index, id_rows, image_columns
from curate.dedupe.feature_index import Index
from curate.dedupe.features import Recipe
from curate.errors import InputError
from curate.ingest import walk
from curate.params import DedupeParams
from curate.ports import Casualty, Engine
from curate.records import StageReport
from curate.stages import update_index
from curate.stages.update_index import Filling, Item, Refused
from curate.system import printable

_NAMED = 5  # files that could not be read


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside. `say` takes a line for the user."""

    engine: Engine
    say: Callable[[str], None]
    batch_size: int = 64


def run(params: DedupeParams, *, source: Path, out: Path, ports: Ports) -> StageReport:
    """Add all images of the source that the index lacks.

    Args:
        params: How images are hashed.
        source: A folder, of which every file that is an image is taken, or an images table (.parquet).
        out: The index.
        ports: The outside.

    Raises:
        InputError: No such source, or no image in it.
        TableError: The table is damaged or of another version.
        StorageError: The disk is full or refuses.
    """
    recipe = Recipe.of(params)
    filling = update_index.hashing(recipe, ports.engine, ports.batch_size, lenient=source.is_dir())
    with feature_index.writing(out, update_index.contents(recipe)) as (features, wrong):
        if wrong:
            ports.say(f"the index is made anew: {wrong}")
        before = len(features)
        refused = (
            _folder(features, filling, source, ports)
            if source.is_dir()
            else _table(features, filling, source)
        )
        if not len(features):
            raise InputError(f"{source} holds no image")
    images = len(id_rows.latest_rows(features.ids))
    counts = [("images", images), ("new", len(features) - before), ("files refused", refused)]
    return StageReport("index", tuple(counts))


def _table(features: Index, filling: Filling, source: Path) -> int:
    if not source.exists():
        raise InputError(f"{source} does not exist: give a folder of images or an images table")
    listed = image_columns.read(source)
    return len(filling.update(features, source, listed.usable, listed.content_ids))


def _folder(features: Index, filling: Filling, folder: Path, ports: Ports) -> int:
    """How many files are no images; the first ones are named."""
    paths, refusals = _paths(folder)
    results = filling.run(features, _new(sorted(paths), folder, features))
    refusals += [_why(result) for result in results if result is not None]
    for line in refusals[:_NAMED]:
        ports.say(line)
    return len(refusals)


def _paths(folder: Path) -> tuple[list[Path], list[str]]:
    """Every file below a folder, through links to folders too; and a line for each link that leads nowhere.

    Raises:
        InputError: A folder cannot be listed: what is in it would not be missed in the index.
    """
    paths, refusals = [], []
    for some in walk.files_below(folder):
        here = Path(os.fsdecode(some.folder))
        if isinstance(some, walk.Closed):
            raise InputError(f"{printable(here)} cannot be listed: {some.error.strerror}")
        paths += [here / os.fsdecode(name) for name, *_ in some.found]
        refusals += [
            f"{printable(here / os.fsdecode(name))} is a link that leads nowhere" for name in some.dangling
        ]
    return paths, sorted(refusals)


def _why(result: Casualty | Refused) -> str:
    return result.why if isinstance(result, Refused) else f"a file killed its worker ({result.how})"


def _new(paths: list[Path], folder: Path, features: Index) -> Iterator[Item]:
    """Files whose bytes are not in the index yet, each content once."""
    seen = {row.tobytes() for row in np.asarray(features.content_ids)}
    for path in paths:
        try:
            with path.open("rb") as file:
                key = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
        if key not in seen:
            seen.add(key)
            yield key, key, str(path), printable(path.relative_to(folder))
