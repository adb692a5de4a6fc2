"""One value of a label file changed to anything: no image becomes empty, and no answer is half taken."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from curate import formats, schema
from curate.errors import CurateError
from curate.formats.image_match import ImageMatch
from curate.formats.imported_rows import How
from curate.formats.label_join import Joined
from tests import builders
from tests.formats import datasets

_VALUES: Final[tuple[Any, ...]] = (
    -1, 1e12, 4e7, 1e308, "x", None, [], {}, True, float("nan"), 10**25, "1e400", [1], {"a": 1}, -0.5, "",
    [None],
)  # fmt: skip
_FORMATS: Final = ("coco", "createml", "darwin", "datumaro", "label-studio", "labelme", "roboflow")
_ONE_FILE: Final = ("coco", "datumaro", "label-studio")


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Keys and numbers that lead to each value within a value."""
    yield place
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*place, key))


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    value = copy.deepcopy(value)
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return value


def images() -> pa.Table:
    rows = [
        {**builders.image(one.name, sources=(one.name,)).row(), "width": one.width, "height": one.height}
        for one in datasets.traps()
    ]
    return pa.Table.from_pylist(rows, schema=schema.IMAGES.arrow)


def answers(path: Path, format: str) -> tuple[Counter[str], set[str]] | None:
    """Objects by image, and images without any; None where the file is refused in a line."""
    names = {name: name for name in datasets.CATEGORIES}
    try:
        labels = formats.read(path, format)
        rows = list(
            Joined(labels, ImageMatch(images(), "name"), How("human", "upright", names, "anna")).rows()
        )
    except CurateError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most files are read
        return None
    if labels.incomplete:
        return None
    found = Counter(row.image_id for row in rows if row.outcome == "object")
    return found, {row.image_id for row in rows if row.outcome == "empty"}


@pytest.mark.parametrize("format", _FORMATS)
def test_no_change_makes_an_image_empty_or_an_answer_half(format: str, tmp_path: Path) -> None:
    datasets.written(format, tmp_path, datasets.traps())
    chance = random.Random(0)  # noqa: S311 - no secret
    files = sorted(tmp_path.rglob("*.json"))
    for _ in range(150):
        file = chance.choice(files)
        text = file.read_text(encoding="utf-8")
        path = file if format in _ONE_FILE else tmp_path
        before = answers(path, format)
        assert before is not None
        content = json.loads(text)
        place, new = chance.choice(list(places(content))), chance.choice(_VALUES)
        file.write_text(json.dumps(changed(content, place, new)), encoding="utf-8")
        after = answers(path, format)
        file.write_text(text, encoding="utf-8")
        if after is not None:
            assert new == [] or after[1] <= before[1], (
                place,
                new,
            )  # an empty list says that nothing is there
            for image_id, number in after[0].items():
                assert new == [] or number >= before[0][image_id], (place, new)
