"""The record of what fitted thresholds keep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import fitted_precision, taxonomy
from curate.labeling.fitted_precision import Promise
from tests import builders

PATH = Path("taxonomy.yaml")
KEPT = Promise(
    precision=0.95, confidence=0.9, together=True, model_versions=("a", "b: c"), thresholds={"stop_sign": 0.4}
)


@pytest.mark.parametrize("end", ["", "# the end\n", "\n\n", "# the end"])
def test_what_is_written_is_read_and_replaced_and_removed(tmp_path: Path, end: str) -> None:
    text = builders.TAXONOMY + end
    path = tmp_path / "t.yaml"
    once = fitted_precision.written(text, KEPT, PATH)
    path.write_text(once)
    assert taxonomy.promise(path) == KEPT
    assert once.startswith(text.rstrip())
    assert fitted_precision.written(once, KEPT, PATH) == once
    other = KEPT.model_copy(update={"thresholds": {"parking_sign": 0.5}})
    path.write_text(fitted_precision.written(once, other, PATH))
    assert taxonomy.promise(path) == other
    assert fitted_precision.written(once, None, PATH).rstrip() == text.rstrip()
    assert fitted_precision.written(text, None, PATH) == text


def test_what_stands_below_the_record_stays() -> None:
    above = "fitted:\n  precision: 0.5\n  thresholds:\n  - 1\n\n" + builders.TAXONOMY
    assert fitted_precision.written(above, None, PATH) == builders.TAXONOMY


def test_a_file_in_one_line_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"taxonomy\.yaml: the record of the fit cannot be added"):
        fitted_precision.written("{categories: []}\n", KEPT, PATH)


def test_the_promise_is_about_thresholds_that_were_not_lowered(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(builders.TAXONOMY)
    stop, park = taxonomy.load(tmp_path / "t.yaml")
    assert KEPT.holds(stop)
    assert KEPT.holds(replace(stop, threshold=0.7))
    assert not KEPT.holds(park)
    with pytest.raises(ParamsError, match=r"'stop_sign' has the threshold 0\.39, and 0\.4 was fitted"):
        KEPT.holds(replace(stop, threshold=0.39))


def test_a_taxonomy_without_a_fit_has_none(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(builders.TAXONOMY)
    assert taxonomy.promise(tmp_path / "t.yaml") is None
    (tmp_path / "t.yaml").write_text(builders.TAXONOMY + "fitted: {precision: 2}\n")
    with pytest.raises(ParamsError, match=r"t\.yaml:4: fitted"):
        taxonomy.promise(tmp_path / "t.yaml")
