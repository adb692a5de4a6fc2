from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.errors import InputError, WaitingForPeopleError
from curate.params import Params
from curate.records import StageReport
from curate_pipelines import stage_entry


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("dedupe:\n  max_hamming: 3\n")


def test_a_report_becomes_a_line_and_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    def stage(params: Params) -> StageReport:
        counts = (("kept", params.dedupe.max_hamming), ("near-duplicates dropped", 2))
        return StageReport("dedupe", counts, {"largest_group": 4})

    stage_entry.run("dedupe", stage)
    assert capsys.readouterr().out == "dedupe: 3 kept, 2 near-duplicates dropped\n"
    whole = json.loads(Path("metrics/dedupe.json").read_text())
    assert whole == {"counts": {"kept": 3, "near-duplicates_dropped": 2}, "largest_group": 4}
    assert json.loads(Path("metrics/headline/dedupe.json").read_text()) == {"images": 3, "dropped": 2}


def test_a_user_error_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    def stage(_: Params) -> StageReport:
        raise InputError("data/raw holds no files: put images there")

    with pytest.raises(SystemExit) as caught:
        stage_entry.run("ingest", stage)
    assert caught.value.code == 1
    assert capsys.readouterr().err == "ingest: data/raw holds no files: put images there\n"
    assert not Path("metrics").exists()


def test_while_people_are_awaited_the_metrics_are_of_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stage(_: Params) -> StageReport:
        report = StageReport("vote", (("votes", 3),), {"looks": 3})
        raise WaitingForPeopleError("waiting for people: 3 of 9", report)

    with pytest.raises(SystemExit) as caught:
        stage_entry.run("vote", stage)
    assert caught.value.code == 1
    assert capsys.readouterr() == ("", "vote: waiting for people: 3 of 9\n")
    assert json.loads(Path("metrics/vote.json").read_text()) == {"counts": {"votes": 3}, "looks": 3}
    assert json.loads(Path("metrics/headline/vote.json").read_text()) == {"looks": 3}


def test_a_wrong_parameter_is_told_before_the_stage_begins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text("dedupe:\n  max_haming: 3\n")
    with pytest.raises(SystemExit):
        stage_entry.run("dedupe", lambda _: pytest.fail("the stage must not run"))
    assert "params.yaml:2: dedupe.max_haming = 3 is unknown" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        stage_entry.run("dedupe", lambda _: 1 // 0)  # type: ignore[arg-type,return-value]
