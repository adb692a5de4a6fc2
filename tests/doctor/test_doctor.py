"""`curate doctor`: each thing that can lack is planted once, and found by name with what to do."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import socket
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curate import doctor, new_project, system
from curate.adapters import mongod
from curate.cli import app
from curate.doctor import Finding, machine, project_files, services
from curate.params import Params
from curate_pipelines import PIPELINES
from tests import loopback

TOKEN = "f" * 40
MODEL = "weights.pth"
PARAMS = f"""
ingest: {{raw: null, sources: sources.yaml}}
autolabel:
  device: cpu
  detector: {{model: {MODEL}}}
  segmenter: {{kind: none}}
labelstudio: {{instructions: guideline.md}}
"""
TAXONOMY = 'categories: [{id: 0, name: car, prompts: [car], threshold: 0.3, color: "#e6194b"}]\n'


class _Server(BaseHTTPRequestHandler):
    """Says whose a token is, as Label Studio and the Hub do."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") in {f"Token {TOKEN}", f"Bearer {TOKEN}"}
        body = json.dumps({"email": "lead@example.org", "name": "owner"} if known else {"detail": "no"})
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with loopback.serving(_Server) as address:
        yield address


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """A project in which nothing lacks."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    new_project.create(Path("cars"), images="photos", template="detection")
    monkeypatch.chdir("cars")
    Path("params.yaml").write_text(PARAMS)
    Path("taxonomy.yaml").write_text(TAXONOMY)
    Path(MODEL).write_bytes(b"weights")
    monkeypatch.setenv("LABEL_STUDIO_URL", url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    return Path.cwd()


def broken() -> dict[str, Finding]:
    return {one.name: one for one in doctor.examine() if one.state == "broken"}


@pytest.mark.usefixtures("project")
def test_where_nothing_lacks_the_exit_code_is_0_and_no_token_is_shown() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "ok      Label Studio: http://127.0.0.1:" in done.output
    assert "(of lead@example.org)" in done.output
    assert "ok      weights of autolabel.detector: no digest is known" in done.output
    assert done.output.endswith("nothing that is needed is missing\n")
    assert TOKEN not in done.output


def test_scripts_get_json_and_the_exit_code(project: Path) -> None:
    (project / "taxonomy.yaml").write_text("categories: []\n")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 1
    document = json.loads(done.output)
    assert document["ok"] is False
    states = {one["name"]: one["state"] for one in document["checks"]}
    assert [name for name, state in states.items() if state == "broken"] == ["taxonomy"]
    assert {"python", "disk", "memory", "git", "dvc state", "Hub"} <= set(states)


@pytest.mark.parametrize(
    ("file", "content", "name", "message"),
    [
        ("params.yaml", "dedupe: {max_haming: 3}\n", "params.yaml", "did you mean 'max_hamming'"),
        ("sources.yaml", "sources: []\n", "sources", "sources.yaml:1: sources"),
        ("taxonomy.yaml", "categories: []\n", "taxonomy", "name at least one"),
        ("guideline.md", None, "files that params.yaml names", "labelstudio.instructions"),
        (MODEL, None, "weights of autolabel.detector", f"{MODEL} is not on this machine"),
        (".git/index.lock", "", "git", "make sure that no git runs here"),
        ("dvc.lock", "", "dvc state", "git checkout dvc.lock"),
        (".dvc/tmp/rwlock", "{", "dvc state", "rm .dvc/tmp/rwlock"),
    ],
)
def test_a_file_that_lacks_or_is_torn_is_named(
    project: Path, file: str, content: str | None, name: str, message: str
) -> None:
    path = project / file
    path.parent.mkdir(exist_ok=True, parents=True)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    found = broken()
    assert set(found) == {name}
    assert message in found[name].line()


def test_a_gate_of_a_misspelt_category_is_named(project: Path) -> None:
    gate = "gates: {require: {signs: 'agreement.f1[category=cra].lower >= 0.8'}}\n"
    (project / "params.yaml").write_text(PARAMS + gate)
    assert set(broken()) == {"gates"}
    assert "gates.require.signs names the category cra" in broken()["gates"].line()
    (project / "params.yaml").write_text(PARAMS + gate.replace("=cra", "=car"))
    assert not broken()


def test_sources_without_a_license_are_told_before_the_release_is_refused(project: Path) -> None:
    (project / "sources.yaml").write_text("sources: [{name: bare, path: photos}]\n")
    (project / "photos").mkdir(exist_ok=True)
    told = "note    licenses: bare: no license of its own; a release is refused where an image's sidecar"
    assert any(one.line().startswith(told) for one in doctor.examine())
    (project / "params.yaml").write_text(PARAMS + "release: {allow_failed_gates: {licenses: 'ours alone'}}\n")
    assert "licenses" not in {one.name for one in doctor.examine()}


def test_another_weights_file_than_the_digest_says(project: Path) -> None:
    digest = "0" * 64
    (project / "params.yaml").write_text(
        PARAMS.replace(f"model: {MODEL}", f"model: {MODEL}, sha256: '{digest}'")
    )
    assert (
        "is not the one that autolabel.detector.sha256 names"
        in broken()["weights of autolabel.detector"].detail
    )


def test_a_token_that_is_not_taken_and_a_server_that_is_away(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    assert "does not accept the token in LABEL_STUDIO_API_KEY" in broken()["Label Studio"].detail
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    assert "cannot be reached" in broken()["Label Studio"].detail
    monkeypatch.delenv("LABEL_STUDIO_URL")
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    monkeypatch.setenv("CURATE_LABEL_STUDIO_BIN", str(project / "none"))
    found = broken()
    assert "run `curate labelstudio up`" in found["Label Studio"].detail
    assert "which is no program" in found["label-studio program"].detail


def test_the_token_of_the_hub_is_asked_for_only_where_the_release_goes_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    utils = pytest.importorskip("huggingface_hub.utils")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setenv("HF_TOKEN", "0" * 40)
    utils.close_session()
    assert "Hub" not in broken()
    (project / "params.yaml").write_text(PARAMS + "publish: {target: hub, repo: owner/name}\n")
    assert "owner/name: cannot read whose the token is" in broken()["Hub"].detail
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    (found,) = [one for one in doctor.examine() if one.name == "Hub"]
    assert found == Finding("Hub", "ok", "the token is that of owner")
    utils.close_session()


@pytest.fixture
def restoration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of that template as `curate init` writes it; there is no server and no program of one."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    new_project.create(Path("sr"), images="photos", template="restoration")
    monkeypatch.chdir("sr")
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CURATE_LABEL_STUDIO_BIN", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path / "models"))
    return Path.cwd()


def test_a_fresh_restoration_project_needs_no_detector_and_no_server(restoration: Path) -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "ok      Label Studio: not needed (vote.raters: none)" in done.output
    assert "ok      preset of pairs: real_esrgan, 8 steps" in done.output
    assert (
        "note    metrics: lpips is not measured: its weights alexnet-owt-7be5be79.pth are not" in done.output
    )
    assert "autolabel.detector" not in done.output
    assert CliRunner().invoke(app, ["models", "fetch"]).output == "", "nothing to fetch"
    params = (restoration / "params.yaml").read_text()
    (restoration / "params.yaml").write_text(params.replace("raters: none", "raters: labelstudio"))
    assert {"Label Studio", "label-studio program"} == set(broken())
    text = params.replace("raters: none", "raters: labelstudio").replace(
        "labelstudio:\n", "labelstudio:\n  enabled: false\n"
    )
    (restoration / "params.yaml").write_text(text)
    assert broken()["Label Studio"].line().endswith("vote.raters: labelstudio; change one of them")


def test_models_and_presets_of_a_restoration_project_are_looked_at(restoration: Path) -> None:
    params = (restoration / "params.yaml").read_text()
    Path("own.param").write_text("layers")
    models = "models: {bicubic: bicubic, own: own.param, other: weights/x4.pth}"
    text = params.replace("models: {bicubic: bicubic}", models).replace("preset: real_esrgan", "preset: mine")
    (restoration / "params.yaml").write_text(text)
    found = [one.line() for one in doctor.examine() if one.state == "broken"]
    assert found == [
        "broken  preset of pairs: pairs.preset = 'mine' is none of classical, real_esrgan, video",
        "broken  files that params.yaml names: upscale.models.own, own.bin = own.bin does not exist: create "
        "it, or set null where it is not needed",
        *(
            f"broken  weights of {name}: {file} is not on this machine: set {name}"
            for name, file in (("upscale.models.own", "own.bin"), ("upscale.models.other", "weights/x4.pth"))
        ),
    ]


@pytest.mark.usefixtures("restoration")
def test_extras_are_those_of_the_stages() -> None:
    Path("sd").mkdir()
    Path("sd/model_index.json").write_text("{}")
    Path("sources.yaml").write_text("sources: [{name: a, url: 's3://bucket/a', license: cc0-1.0}]\n")

    def needed(template: str, **sections: Any) -> set[str]:
        settings = Params.model_validate({"ingest": {"raw": "photos"}, **sections})
        return set(project_files.needed_extras(settings, PIPELINES[template])) - {"pipeline"}

    assert needed("restoration") == {"restoration"}
    assert needed("detection") == {"autolabel", "labelstudio"}
    off = {"autolabel": {"detector": {"kind": "none"}}, "labelstudio": {"enabled": False}}
    assert needed("detection", **off) == set()
    assert needed("restoration", pairs={"preset": "video"}) == {"restoration", "ffmpeg"}
    assert needed("restoration", upscale={"models": {"sd": "sd"}}) == {"restoration", "diffusion"}
    assert needed("restoration", vote={"raters": "labelstudio"}) == {"restoration", "labelstudio"}
    assert needed("restoration", embeddings={"model": "a"}) == {"restoration"}
    assert needed("detection", **off, embeddings={"model": "a"}) == {"semantic"}
    assert needed("detection", **off, release={"augment": {"pipeline": "a.yaml"}}) == {"augment"}
    assert needed("detection", **off, publish={"target": "kaggle", "repo": "a/b"}) == {"kaggle"}
    assert needed("detection", **off, publish={"target": "s3", "url": "s3://a/b"}) == {"remote"}
    assert needed("detection", labelstudio={"storage": "s3://a/b"}) == {"autolabel", "labelstudio", "remote"}
    assert needed("detection", **off, ingest={"raw": None, "sources": "sources.yaml"}) == {"remote"}


def test_a_dvc_yaml_that_cannot_be_read_is_named(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: [\n")
    assert set(broken()) == {"dvc.yaml"}


def test_an_extra_that_lacks_is_broken_only_where_a_stage_needs_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version
    absent = {"ray", "dvc"}

    def installed(package: str) -> str:
        if package in absent:
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", installed)
    found = broken()
    assert set(found) == {"extra pipeline"}
    assert found["extra pipeline"].remedy == "pip install 'curate-vision[pipeline]'"
    (project / "params.yaml").write_text(PARAMS + "engine: {kind: ray}\n")
    assert set(broken()) == {"extra pipeline", "extra ray"}


@pytest.mark.usefixtures("project")
def test_little_disk_little_memory_and_a_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 10**8))
    monkeypatch.setattr(system, "memory_bytes", lambda: 10**9)
    with socket.create_server((mongod.HOST, 0)) as taken:
        monkeypatch.setattr(services, "VIEW_PORT", taken.getsockname()[1])
        found = {one.name: one for one in doctor.examine()}
    assert (found["disk"].state, found["disk"].detail) == ("broken", "0.1 GiB free")
    assert (found["memory"].state, found["port of curate view"].state) == ("note", "note")
    assert found["port of curate view"].remedy == "curate view --port 0"


def test_another_curate_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "curate"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {one.name: one for one in machine.program()}
    assert "is another installation" in found["curate"].detail
    assert (found["dvc"].state, found["dvc"].detail) == ("broken", "no such program on PATH")


def test_a_folder_without_git_or_dvc(project: Path) -> None:
    shutil.rmtree(project / ".git")
    shutil.rmtree(project / ".dvc")
    assert {"git", "dvc state"} <= set(broken())
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert set(broken()) == {"dvc state"}


def test_outside_of_a_project_only_the_machine_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {one.name: one for one in doctor.examine()}
    assert found["project"].state == "note"
    assert "Label Studio" not in found
    assert not [one.name for one in found.values() if one.state == "broken"]
