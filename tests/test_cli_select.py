"""`curate select preview`: a page, and a plan that stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.cli import app
from curate.errors import ParamsError
from curate.params import Params
from curate_pipelines import select
from tests import builders, vector_table

PARAMS = "qa: {overlap_share: 0, control_share: 0, rest: none, choose: {budget: %s, diversity: 1}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current folder, with vectors."""
    made = builders.small_project(tmp_path, stage="autolabel")
    kept = sorted(image.image_id for image in made.images if image.drop_reason is None)
    vector_table.write(tmp_path, {key: 40.0 * place for place, key in enumerate(kept)})
    (tmp_path / "params.yaml").write_text(PARAMS % 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_preview_shows_what_the_stage_then_plans_and_writes_the_page_only(project: Path) -> None:
    select.main(Params.model_validate({"qa": {"overlap_share": 0, "control_share": 0, "rest": "none"}}))
    before = files(project)
    done = CliRunner().invoke(app, ["select", "preview", "--most", "2"])
    assert (done.exit_code, done.output) == (
        0,
        "select preview: 3 images would be chosen now: data/select/preview.html\n",
    )
    after = files(project)
    page = after.pop(project / "data/select/preview.html").decode()
    assert after == before
    assert page.count('<figure class="case">') == 2


def test_a_budget_can_be_tried(project: Path) -> None:
    (project / "params.yaml").write_text(PARAMS % 0)
    with pytest.raises(ParamsError, match=r"qa\.choose\.budget is 0.*give --budget"):
        CliRunner().invoke(app, ["select", "preview"], catch_exceptions=False)
    done = CliRunner().invoke(app, ["select", "preview", "--budget", "1", "--out", "a.html"])
    assert done.output == "select preview: 1 images would be chosen now: a.html\n"
    with pytest.raises(ParamsError, match="--budget = -1"):
        CliRunner().invoke(app, ["select", "preview", "--budget", "-1"], catch_exceptions=False)


@pytest.mark.usefixtures("project")
def test_the_help_says_what_is_read_and_written() -> None:
    text = " ".join(CliRunner().invoke(app, ["select", "preview", "--help"]).output.split())
    assert (
        "Reads params.yaml, taxonomy.yaml, the tables of dedupe, embed, autolabel, push and agreement" in text
    )
    assert "writes OUT and nothing else" in text
