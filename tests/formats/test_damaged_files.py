"""Whatever a label file holds: entries are listed, or the file is refused in one line; no accident."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import formats
from curate.errors import InputError
from tests.formats import datasets
from tests.formats.test_round_trip import PLACES, READER

_LABELS = (".json", ".xml", ".txt", ".yaml", ".csv", ".manifest", ".jsonl")
_PIECES = ("", "null", "-1", "1e999", '"x"', "[]", "{}", "nan", "<", "é", "0 0", "\x00", "9" * 20)


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for format in PLACES:
            datasets.written(format, Path(folder, format), datasets.traps())
        yield Path(folder)


def told(format: str, whole: Path, data: st.DataObject) -> None:
    """Damage one label file at one place, and read all of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "set")
        shutil.copytree(whole / format, place)
        files = sorted(one for one in place.rglob("*") if one.suffix in _LABELS)
        if not files:
            pytest.skip("its labels are Parquet")
        file = data.draw(st.sampled_from(files))
        text = file.read_text(encoding="utf-8")
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        file.write_text(text[:at] + data.draw(st.sampled_from(_PIECES)) + text[at + gone :], encoding="utf-8")
        for path in PLACES[format](place):
            try:
                labels = formats.read(path, READER.get(format, format))
                images = list(labels.images)
            except InputError as error:
                assert "\n" not in str(error)  # noqa: PT017 - most files are read
                continue
            assert all(problem.kind and problem.detail for problem in labels.problems)
            for image in images:
                for one in image.objects:
                    one.box()


_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("format", sorted(PLACES))
@settings(_SETTINGS, max_examples=100, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_told_and_no_accident(format: str, whole: Path, data: st.DataObject) -> None:
    told(format, whole, data)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("format", sorted(PLACES))
@settings(_SETTINGS, max_examples=3_000)
@given(data=st.data())
def test_whatever_the_damage(format: str, whole: Path, data: st.DataObject) -> None:
    """Other damage in every run: what it finds is mended, and becomes a test of its format."""
    told(format, whole, data)
