from __future__ import annotations

from pathlib import Path

import numpy as np

from curate.dedupe import plots


def test_distances_are_counted_in_steps_of_two(tmp_path: Path) -> None:
    """Pairs at 0, 1 and 4 bits; of those at 0 and 4 some were verified."""
    pairs, verified = np.array([3, 1, 0, 0, 7]), np.array([0, 0, 4])
    plots.write_distances(pairs, verified, tmp_path / "plot.csv")
    assert (tmp_path / "plot.csv").read_text() == "hamming,pairs,verified\n0,4,2\n2,0,0\n4,7,1\n"


def test_without_pairs_there_is_one_row_of_nothing(tmp_path: Path) -> None:
    plots.write_distances(np.zeros(5, np.int64), np.zeros(0, np.int64), tmp_path / "plot.csv")
    assert (tmp_path / "plot.csv").read_text() == "hamming,pairs,verified\n0,0,0\n"
