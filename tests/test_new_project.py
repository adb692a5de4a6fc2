"""`curate init`: a project that is whole, holds nothing of the demo, and overwrites nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from curate import new_project, params, params_doc, pipeline_templates
from curate.cli import app
from curate.errors import InputError, ParamsError, StorageError
from curate.ingest import sources
from curate.labeling import taxonomy
from curate.yamlfile import load_yaml
from curate_pipelines import fingerprint

ROOT = Path(__file__).parents[1]
IMAGES = [{"id": 1, "file_name": "a.jpg"}]
FILES = {
    ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "decisions.csv", "description.md",
    "dvc.yaml", "guideline.md", "params.yaml", "sources.yaml", "taxonomy.yaml",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()


def made(name: str = "signs", images: str = "photos") -> Path:
    new_project.create(Path(name), images=images, template="detection")
    return Path(name)


def files(folder: Path) -> set[str]:
    every = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in every if not name.startswith(".git/")}


def test_the_command_writes_a_project_and_names_the_next_three_commands() -> None:
    done = CliRunner().invoke(app, ["init", "signs", "--images", "photos"])
    assert done.exit_code == 0, done.output
    assert files(Path("signs")) == FILES
    commands = [line.split("#")[0].strip() for line in done.output.splitlines() if line.startswith("  ")]
    assert commands == ["cd signs && curate doctor", "curate labelstudio up", "dvc repro"]
    settings = params.load(Path("signs/params.yaml"))
    assert (settings.release.name, settings.labelstudio.project) == ("signs", "signs")
    assert (settings.qa.labelers, settings.qa.seeded_errors, settings.qa.gold) == ("people", 0, None)


def test_nothing_of_the_demo_is_in_it() -> None:
    folder = made()
    theirs = yaml.safe_load((ROOT / "taxonomy.yaml").read_text())["categories"]
    words = {"demo", "simulated", "traffic", *(one["name"] for one in theirs)}
    for name in FILES:
        text = (folder / name).read_text().lower()
        assert not [word for word in words if word in text], name


def test_the_comments_of_its_parameters_are_those_of_the_models() -> None:
    path = made() / "params.yaml"
    (_, lines), text = load_yaml(path), path.read_text().splitlines()
    known = {knob.location: knob.description for knob in params_doc.knobs()}
    written = [location for location in lines if location in known]
    assert len(written) > 15
    for location in written:
        assert text[lines[location] - 1].partition(" # ")[2] == known[location], location


def test_every_file_that_its_parameters_name_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made())
    line = fingerprint.main(params.load())
    assert line.startswith("fingerprint: changed for ingest")
    assert sources.load(None, "sources.yaml").sources[0].where == str(Path("../photos").resolve())


def test_it_waits_for_categories_and_the_example_is_one() -> None:
    path = made() / "taxonomy.yaml"
    with pytest.raises(ParamsError, match="categories is empty: name at least one"):
        taxonomy.load(path)
    example = path.read_text().replace("categories: []", "categories:").replace("\n#  ", "\n  ")
    path.write_text(example)
    assert [one.name for one in taxonomy.load(path)] == ["bicycle"]


def test_git_and_dvc_take_it() -> None:
    folder = made()
    git = ["git", "-C", str(folder)]
    assert subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
    subprocess.run([*git, "add", "."], check=True)
    listed = subprocess.run([*git, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    assert set(listed) == FILES
    command = ["dvc", "stage", "list", "--name-only"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert listed[:2] == ["fingerprint", "ingest"]


def test_inside_a_repository_of_the_users_no_other_is_made() -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert not (made() / ".git").exists()


def test_an_empty_folder_or_fresh_repository_will_do() -> None:
    Path("signs").mkdir()
    subprocess.run(["git", "init", "--quiet", "signs"], check=True)
    assert files(made()) == FILES


def test_a_folder_that_is_not_empty_is_refused_and_stays() -> None:
    Path("signs").mkdir()
    Path("signs/mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"signs is not empty \(it holds mine\.txt\)"):
        made()
    assert files(Path("signs")) == {"mine.txt"}


def test_a_disk_that_refuses_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path.open

    def full(path: Path, *arguments: Any, **settings: Any) -> Any:
        if path.name == "taxonomy.yaml":
            raise OSError(28, "No space left on device")
        return before(path, *arguments, **settings)

    with monkeypatch.context() as inner:
        inner.setattr(Path, "open", full)
        with pytest.raises(StorageError, match="no space left"):
            made()
    assert files(Path("signs")) == set()
    assert files(made()) == FILES  # so that it can be tried again


@pytest.mark.parametrize(
    ("images", "entry"),
    [
        ("photos", {"name": "photos", "path": "../photos"}),
        ("photos/", {"name": "photos", "path": "../photos"}),
        ("list.txt", {"name": "list", "list": "../list.txt"}),
        ("rows.CSV", {"name": "rows", "table": "../rows.CSV"}),
        ("a.tar.gz", {"name": "a", "archive": "../a.tar.gz"}),
        ("s-{00..12}.tar", {"name": "s", "archive": "../s-{00..12}.tar"}),
        ("https://example.org/a b/", {"name": "a-b", "url": "https://example.org/a b/"}),
        ("s3://photos/all.parquet", {"name": "all", "table": "s3://photos/all.parquet"}),
    ],
)
def test_each_kind_of_images_becomes_a_source(images: str, entry: dict[str, str]) -> None:
    for name in ("list.txt", "rows.CSV", "a.tar.gz"):
        Path(name).touch()
    folder = made(images=images)
    (written,) = yaml.safe_load((folder / "sources.yaml").read_text())["sources"]
    assert {key: value for key, value in written.items() if value is not None} == entry
    assert sources.load(None, str(folder / "sources.yaml")).sources[0].name == entry["name"]


def test_an_absolute_path_stays_one(tmp_path: Path) -> None:
    (written,) = yaml.safe_load((made(images=str(tmp_path / "photos")) / "sources.yaml").read_text())[
        "sources"
    ]
    assert written["path"] == str(tmp_path / "photos")


@pytest.mark.parametrize(
    ("name", "images", "message"),
    [
        ("signs", "nowhere", "nowhere is no folder, list"),
        ("signs", "photo.jpg", "photo.jpg is no folder, list"),
        ("signs", "none.csv", "none.csv is no folder, list"),
        ("photos/signs", "photos", "would lie among the images"),
        ("a(b)", "photos", r"'a\(b\)' is no name for a data set"),
        ("photo.jpg", "photos", "photo.jpg is a file"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(name: str, images: str, message: str) -> None:
    Path("photo.jpg").touch()
    before = files(Path())
    with pytest.raises(InputError, match=message):
        made(name, images)
    assert files(Path()) == before


def test_a_template_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"no template 'poses': choose one of .*detection"):
        new_project.create(Path("signs"), images="photos", template="poses")


def test_the_code_knows_no_template_by_name() -> None:
    named = [path.parent.name for path in (ROOT / "curate/templates").glob("*/dvc.yaml")]
    assert sorted(named) == list(pipeline_templates.names())
    sources = [(ROOT / f"curate/{name}.py").read_text() for name in ("new_project", "pipeline_templates")]
    assert not [name for name in named for source in sources if name in source]


def test_without_git_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="git is not installed"):
        made()
    assert not Path("signs").exists()


def test_categories_of_labels_begin_the_taxonomy() -> None:
    kinds = [{"id": 7, "name": "stop sign"}, {"id": 3, "name": "Fußgänger"}]
    Path("a.json").write_text(json.dumps({"images": IMAGES, "annotations": [], "categories": kinds}))
    kinds = [{"id": 1, "name": "Fußgänger"}, {"id": 2, "name": "yes"}]
    Path("b.json").write_text(json.dumps({"images": IMAGES, "annotations": [], "categories": kinds}))
    arguments = ["init", "signs", "--images", "photos", "--labels", "a.json", "--labels", "b.json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "  curate import ../b.json --as suggestions  # or answers, or gold" in done.output
    made_of_them = taxonomy.load(Path("signs/taxonomy.yaml"))
    assert [(one.category_id, one.name, one.title) for one in made_of_them] == [
        (0, "stop sign", ""),
        (1, "Fussganger", "Fußgänger"),
        (2, "yes", ""),
    ]


def test_labels_of_no_category_are_refused_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InputError, match=r"b\.json does not exist"):
        new_project.create(Path("signs"), images="photos", template="detection", labels=[Path("b.json")])
    monkeypatch.setattr(new_project.formats, "read_categories", lambda _: {})
    with pytest.raises(InputError, match=r"a\.json names no category"):
        new_project.create(Path("signs"), images="photos", template="detection", labels=[Path("a.json")])
    assert not Path("signs").exists()
