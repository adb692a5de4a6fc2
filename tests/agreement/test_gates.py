from __future__ import annotations

from pathlib import Path

import pytest

from curate.agreement import gates, plots
from curate.agreement.gates import Measured
from curate.errors import TableError
from curate.intervals import Figure
from curate.params.requirement import parse

FIGURES = {
    ("f1", "all", ""): Measured(0.90, 0.80, 0.96, ""),
    ("f1", "category", "stop"): Measured(0.7, 0.6, 0.8, ""),
    ("kappa", "all", ""): Measured(None, None, None, "no two people drew one object"),
    ("ac1", "all", ""): Measured(1.0, None, None, "fewer than two images"),
    ("mean_hausdorff_95", "all", ""): Measured(3.0, 2.0, 4.0, ""),
}


def check(text: str, *, images: int = 100) -> gates.Gate:
    return gates.check("it", parse(text), FIGURES, overlap_images=images)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("agreement.f1.lower >= 0.8", True),
        ("agreement.f1.lower >= 0.81", False),  # the figure is 0.9, its interval begins at 0.8
        ("agreement.f1[category=stop].lower >= 0.6", True),
        ("agreement.mean_hausdorff_95.upper <= 4", True),
        ("agreement.mean_hausdorff_95.upper <= 3.5", False),
        ("agreement.kappa.lower >= 0", False),  # undefined holds nothing
        ("agreement.ac1.lower >= 0", False),
    ],
)
def test_the_near_end_decides(text: str, passed: bool) -> None:
    found = check(text)
    assert found.passed is passed
    assert bool(found.help) is not passed


def test_it_says_how_far_off_it_is_and_how_many_more_images_would_help() -> None:
    """The end lies 0.10 off the figure and may lie 0.05: twice as near takes four times the images."""
    found = check("agreement.f1.lower >= 0.85")
    assert found.found == "0.900 (0.800 to 0.960): 0.050 short"
    assert found.help.startswith("about 300 more images that several people see")
    assert "does not help" in check("agreement.f1.lower >= 0.95").help


def test_an_unknown_figure_or_slice_names_what_there_is() -> None:
    assert check("agreement.f2.lower >= 0.85").help == (
        "known figures by all are ac1, f1, kappa, mean_hausdorff_95"
    )
    assert check("agreement.f1[category=halt].lower >= 0.85").help == "known are stop"


def test_figures_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "figures.csv"
    figures = {
        ("f1", "pair", "a@x / b@x"): Figure(0.5, 0.25, 0.75, 4),
        ("kappa", "all", ""): Figure(None, None, None, 0, "no pairs"),
    }
    names = {"a@x": "labeler-1", "b@x": "labeler-2"}
    plots.write_csv(path, plots.FIGURES, plots.table(figures, names))
    assert gates.read_figures(path) == {
        ("f1", "pair", "labeler-1 / labeler-2"): Measured(0.5, 0.25, 0.75, ""),
        ("kappa", "all", ""): Measured(None, None, None, "no pairs"),
    }
    path.write_text("figure,by,name\nf1,all,\n")
    with pytest.raises(TableError, match="run the stage agreement again"):
        gates.read_figures(path)
