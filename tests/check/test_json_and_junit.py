"""The command: what it prints and writes, and when it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from curate.check import json_and_junit
from curate.check.finding import KINDS, Checked, Findings, Row
from curate.cli import app
from curate.errors import InputError
from tests.check import planted


def checked(*names: str) -> Checked:
    findings = Findings()
    for name in names:
        findings.add(name, Row(images=("a.jpg",), detail=f"<{name}> \x00&"))
    return Checked("set", "coco", 3, 4, {"train": 3}, tuple(KINDS), tuple(findings.all()))


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    [
        (["error"], ["split_leak"]),
        (["warning"], ["split_leak", "dark"]),
        (["note"], ["split_leak", "dark", "license_unknown"]),
        (["never"], []),
        (["dark"], ["dark"]),
        (["never", "license_unknown"], ["license_unknown"]),
        (["error", "dark"], ["split_leak", "dark"]),
    ],
)
def test_what_fails_a_check(fail_on: list[str], failed: list[str]) -> None:
    found = checked("license_unknown", "dark", "split_leak")
    assert [one.name for one in json_and_junit.failing(found, fail_on)] == failed


def test_junit_has_a_case_for_each_kind() -> None:
    found = checked("dark", "split_leak")
    suite = ET.fromstring(json_and_junit.as_junit(found, json_and_junit.failing(found, ["error"])))  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == (str(len(KINDS)), "1", "0")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == set(KINDS)
    failure = cases["split_leak"].find("failure")
    assert failure is not None
    assert failure.get("type") == "error"
    assert failure.text == "a.jpg: <split_leak> \ufffd&"
    assert cases["dark"].find("failure") is None
    assert "a.jpg" in (cases["dark"].findtext("system-out") or "")
    assert list(cases["flat"]) == []


def test_kinds_that_the_set_cannot_have_are_skipped() -> None:
    found = Checked("set", "images", 3, 0, {}, ("dark",), ())
    suite = ET.fromstring(json_and_junit.as_junit(found, []))  # noqa: S314
    skipped = [case.get("name") for case in suite.iter("testcase") if case.find("skipped") is not None]
    assert skipped == [name for name in KINDS if name != "dark"]


def test_the_command_tells_writes_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = planted.plant(tmp_path / "set")
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["check", "set", "--junit", "junit.xml", "--cache", "kept"])
    assert done.exit_code == 1
    assert re.search(
        r"^check: \d+ images, \d+ objects \(coco; test 8, train \d+, validation 7\)$", done.output, re.M
    )
    assert re.search(r"^error    split_leak: 2 \(One picture in two splits\): ", done.output, re.M)
    assert re.search(r"^\d+ errors, \d+ warnings, 1 note: failed$", done.output, re.M)
    page = Path("curate-check.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<section id=") == len(made.expected)
    assert "data:image/jpeg;base64," in page
    assert int(ET.parse("junit.xml").getroot().get("failures", "")) > 10  # noqa: S314
    Path("curate-check.html").unlink()
    done = CliRunner().invoke(
        app, ["check", "set", "--json", "--no-page", "--fail-on", "never", "--cache", "kept"]
    )
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert {one["kind"]: one["count"] for one in document["findings"]} == {
        kind: len(keys) for kind, keys in made.expected.items()
    }
    assert document["failed"] == []
    assert not Path("curate-check.html").exists()
    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before


def test_wrong_words_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--fail-on 'eror' is not known"):
        json_and_junit.refuse_unknown(["eror"])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.jpg").write_bytes(planted.encoded(planted.picture(0))[:3000])
    for path, words in (
        ("none", "does not exist"),
        ("broken", "broken holds 1 files but no usable image (1 truncated)"),
    ):
        done = CliRunner().invoke(app, ["check", str(tmp_path / path), "--no-page"])
        assert isinstance(done.exception, InputError)
        assert words in str(done.exception)
    (tmp_path / "broken/a.jpg").unlink()
    done = CliRunner().invoke(app, ["check", str(tmp_path), "--no-page"])
    assert "holds no image" in str(done.exception)


def test_the_page_of_the_documentation_names_every_kind_and_its_workflow_calls_what_exists() -> None:
    text = (Path(__file__).parents[2] / "docs/check.md").read_text()
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.severity} | {kind.title} | {kind.remedy} |" in text
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))  # type: ignore[union-attr]
    (call,) = [
        step["run"] for step in workflow["jobs"]["check"]["steps"] if "curate check" in step.get("run", "")
    ]
    known = {option for one in get_command(app).commands["check"].params for option in one.opts}  # type: ignore[attr-defined]
    assert set(re.findall(r"--[a-z-]+", call)) <= known
