"""Lists of what people shall look at again: what nobody knows is left out, what is damaged is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate import review_lists
from curate.agreement import plots
from curate.errors import TableError
from curate.review_lists import Disagreement, Doubt

ERRORS = "image_id,kind,probability,label_id,suggestion_id\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text)
    return path


def test_a_file_that_no_stage_wrote_is_no_list(tmp_path: Path) -> None:
    assert review_lists.read_queue(tmp_path / "queue.csv") is None
    assert review_lists.read_label_errors(tmp_path / "errors.csv") == {}


def test_label_errors_of_unknown_probability_are_not_among_the_probable_ones(tmp_path: Path) -> None:
    text = f"{ERRORS}one,missed,0.9,,s1\none,category,{plots.UNDEFINED},l2,s2\none,spurious,0.5,l3,\n"
    assert review_lists.read_label_errors(written(tmp_path, text)) == {
        "one": (Doubt("missed", 0.9, "", "s1"), Doubt("spurious", 0.5, "l3", ""))
    }


@pytest.mark.parametrize("rows", ["one,missed,high,,s1\n", "one,missed,,,s1\n", "one,missed\n"])
def test_a_damaged_probability_is_no_unknown_one(tmp_path: Path, rows: str) -> None:
    with pytest.raises(TableError, match=r"is damaged .*: run the stage agreement again"):
        review_lists.read_label_errors(written(tmp_path, ERRORS + rows))


def test_the_queue_has_figures_where_they_are_defined(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"image_id,f1,reason,mean_iou\none,0.5,f1,0.25\ntwo,{plots.UNDEFINED},skipped,\n"
    )
    assert review_lists.read_queue(path) == (
        Disagreement("one", 0.5, "f1", 0.25),
        Disagreement("two", None, "skipped", None),
    )


def test_a_damaged_queue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is damaged"):
        review_lists.read_queue(written(tmp_path, "image_id,f1,reason\none,high,f1\n"))
