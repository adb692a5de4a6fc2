"""`qa.choose`: what is refused, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate import params
from curate.errors import ParamsError


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{budget: 5, uncertainty: 0}", "a budget needs a weight above 0, of uncertainty, diversity"),
        ("{budget: 5, similarity: 1}", "similarity needs examples: positive, negative, or a file"),
        ("{positive: [a/b], negative: [a/b]}", "'a/b' is a positive and a negative example"),
        ("{diversity: -1}", "greater than or equal to 0"),
        ("{diversty: 1}", "diversity"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"qa:\n  choose: {written}\n")
    with pytest.raises(ParamsError, match=said) as caught:
        params.load(path)
    assert str(caught.value).startswith(f"{path}:2: qa.choose")
    assert "\n" not in str(caught.value)
