"""`curate train` in a project: what it refuses before a trainer starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.cli import train
from curate.errors import InputError
from curate.params import Params


def test_answers_are_known_and_nobody_knows_of_which_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train._gold(None, ()) is None, "outside a project"
    decisions = Path("decisions.csv")
    decisions.write_text("image,decision,other,by,note,annotation,argument,box,when\n")
    without = Params.model_validate({"dedupe": {"decisions": "decisions.csv"}})
    assert train._gold(without, ()) is None
    known = Params.model_validate({"qa": {"gold": "gold.json"}})
    with pytest.raises(InputError, match=r"images\.parquet is missing: .*gold\.json: run `dvc repro dedupe`"):
        train._gold(known, ())
    decisions.write_text(decisions.read_text() + "a.jpg,gold,,,,,,,\n")
    with pytest.raises(InputError, match=r"images\.parquet is missing: .*decisions\.csv"):
        train._gold(without, ())
