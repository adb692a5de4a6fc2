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
    monkeypatch.setattr(result, "_git", lambda *_: "")  # a tree in the middle of a change is older code
    target = Target("memory", 5, 4.5, "GiB", at_most=True, note="one run")
    result.save("plan", {"rows": [1, 2]}, command="python -m benchmarks.some", targets=[target])
    content = result.load("plan")
    assert content["rows"] == [1, 2]
    assert result.targets(content) == [target]
    assert "python -m benchmarks.some" in result.footer(content)


def test_figures_of_older_code_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "RESULTS", tmp_path)
    asked: list[tuple[str, ...]] = []

    def git(*arguments: str) -> str | None:
        asked.append(arguments)
        return "abc123\n" if arguments[0] == "describe" else changed

    monkeypatch.setattr(result, "_git", git)
    target = Target("memory", 5, 4.5, "GiB", at_most=True, note="one run")
    result.save("plan", {}, command="python -m benchmarks plan", targets=[target])
    content = result.load("plan")
    changed: str | None = ""
    assert result.changed_since(content) == []
    assert asked[-1][:3] == ("diff", "--name-only", "abc123")
    assert "curate/stages/select.py" in asked[-1]  # what the comparison imports, directly or not
    assert "curate/release/card.py" not in asked[-1]
    assert "abc123" in result.footer(content)
    assert "Older code" not in result.footer(content)
    assert result.targets(content) == [target]
    changed = "curate/stages/select.py\n"
    assert "1 of the files" in result.footer(content)
    assert result.targets(content)[0].note == "one run; older code"
    changed = None  # a commit that this clone does not have
    assert "curate/stages/select.py" in result.changed_since(content)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (12.0, "12"), (1234.5, "1,234")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert result.figure(value) == text
