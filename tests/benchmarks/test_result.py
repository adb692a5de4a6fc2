from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import result
from benchmarks.result import Target


@pytest.mark.parametrize(
    ("measured", "at_most", "met"),
    [(7.0, False, True), (6.99, False, False), (7.0, True, True), (7.01, True, False), (None, False, None)],
)
def test_a_target_is_met_or_not(measured: float | None, at_most: bool, met: bool | None) -> None:
    target = Target("speed", 7, measured, "x", at_most=at_most)
    assert target.met is met
    assert ("**no**" in target.row()[3]) is (met is False)


def test_what_is_saved_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "RESULTS", tmp_path)
    target = Target("memory", 5, 4.5, "GiB", at_most=True, note="one run")
    result.save("some", {"rows": [1, 2]}, command="python -m benchmarks.some", targets=[target])
    content = result.load("some")
    assert content["rows"] == [1, 2]
    assert result.targets(content) == [target]
    assert "python -m benchmarks.some" in result.footer(content)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (12.0, "12"), (1234.5, "1,234")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert result.figure(value) == text
