"""After an upgrade a project's dvc.yaml that lacks something is refused, and brought up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curate import new_project, pipeline_templates
from curate.cli import app
from curate.errors import InputError
from curate.params import Params
from curate_pipelines import fingerprint

ROOT = Path(__file__).parents[1]
FILE = Path("dvc.yaml")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    new_project.create(Path("signs"), images="photos", template="detection")
    monkeypatch.chdir("signs")


def older(**changes: object) -> None:
    """The file as an older version may have written it: without one dependency and one output."""
    content = yaml.safe_load(FILE.read_text())
    content["stages"]["release"]["deps"].remove("metrics/quality.json")
    content["stages"]["select"]["plots"] = []
    content["stages"] |= changes
    FILE.write_text(yaml.safe_dump(content, sort_keys=False))


LACKING = ("stage select: plots/select_reasons.csv", "stage release: metrics/quality.json")


def test_a_new_project_lacks_nothing() -> None:
    assert pipeline_templates.nearest(FILE) == ("detection", ())
    assert fingerprint.pipeline_is_current() == "that of this version (detection)"
    assert CliRunner().invoke(app, ["update"]).output == "dvc.yaml lacks nothing\n"
    assert not Path("dvc.yaml.old").exists()


def test_an_older_file_stops_the_first_stage_and_names_the_command() -> None:
    older()
    assert pipeline_templates.nearest(FILE) == ("detection", LACKING)
    with pytest.raises(
        InputError,
        match=r"another version of curate, it lacks stage select: plots/.* and 1 more: run `curate update`",
    ):
        fingerprint.main(Params())
    assert not Path("data").exists()


def test_it_is_brought_up_to_date_and_kept_aside() -> None:
    older()
    before = FILE.read_text()
    done = CliRunner().invoke(app, ["update"])
    assert done.output.splitlines()[:2] == [f"lacked {one}" for one in LACKING]
    assert FILE.read_text() == (ROOT / "dvc.yaml").read_text()
    assert Path("dvc.yaml.old").read_text() == before


def test_what_the_user_added_stays_and_is_no_lack() -> None:
    content = yaml.safe_load(FILE.read_text())
    content["stages"]["release"]["deps"].append("own.txt")
    content["stages"]["train"] = {"cmd": "python train.py", "deps": ["data/release"]}
    FILE.write_text(yaml.safe_dump(content, sort_keys=False))
    assert pipeline_templates.nearest(FILE)[1] == ()
    older(train={"cmd": "python train.py"})
    with pytest.raises(InputError, match=r"stages of yours \(train\): add by hand stage select"):
        new_project.update_pipeline(FILE)
    assert "train" in FILE.read_text()


@pytest.mark.parametrize("text", ["", "stages: []\n", "stages: {ingest: 3}\n"])
def test_a_file_of_something_else_lacks_every_stage(text: str) -> None:
    FILE.write_text(text)
    assert len(pipeline_templates.nearest(FILE)[1]) == 12
