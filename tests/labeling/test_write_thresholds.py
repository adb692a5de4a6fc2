"""New thresholds in the text of taxonomy.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import taxonomy, write_thresholds

TEXT = """# threshold: 0.9 is what the first model had
categories:
  - id: 0
    threshold:   0.2   # of the first round
    name: stop
    prompts: [stop sign, "threshold: 2"]
    color: "#e6194b"

  - {id: 1, name: park, prompts: [p], color: "#4363d8", threshold: 2.0e-1}
"""


def test_nothing_but_the_numbers_changes() -> None:
    edited = write_thresholds.with_thresholds(TEXT, {"stop": 0.35, "park": 0.4}, Path("t"))
    assert edited == TEXT.replace("   0.2   #", "   0.35   #").replace("2.0e-1", "0.4")
    assert write_thresholds.with_thresholds(TEXT, {}, Path("t")) == TEXT


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(write_thresholds.with_thresholds("\n# Ä, ß\n" + TEXT, {"park": 0.07}, path))
    assert [category.threshold for category in taxonomy.load(path)] == [0.2, 0.07]


def test_a_number_of_many_digits_is_written_whole() -> None:
    edited = write_thresholds.with_thresholds(TEXT, {"stop": 0.3333333}, Path("t"))
    assert edited == TEXT.replace("   0.2   #", "   0.3333333   #")


def test_the_difference_is_a_unified_diff() -> None:
    edited = write_thresholds.with_thresholds(TEXT, {"stop": 0.35}, Path("t"))
    difference = write_thresholds.unified_diff(TEXT, edited, Path("taxonomy.yaml")).splitlines()
    assert difference[:2] == ["--- taxonomy.yaml", "+++ taxonomy.yaml (fitted)"]
    changed = [line for line in difference[2:] if line[0] in "+-"]
    assert changed == [
        "-    threshold:   0.2   # of the first round",
        "+    threshold:   0.35   # of the first round",
    ]
    assert write_thresholds.unified_diff(TEXT, TEXT, Path("t")) == ""


def test_a_shared_anchor_is_refused() -> None:
    text = TEXT.replace("   0.2   #", " &low 0.2 #").replace("2.0e-1", "*low")
    with pytest.raises(ParamsError, match="share an anchor: write each number out"):
        write_thresholds.with_thresholds(text, {"stop": 0.3}, Path("t"))
