"""What would fail, or write to a wrong place, at the very end is refused before anything ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate import params
from curate.errors import ParamsError


def load(tmp_path: Path, text: str) -> params.Params:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return params.load(path)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".hidden", "a\\b", "", "ends ", "x\ny", "a:b"])
def test_a_name_that_is_no_name_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml:2: release\.name = .* is refused"):
        load(tmp_path, f"release:\n  name: {name!r}\n".replace("'x\\ny'", '"x\\ny"'))


@pytest.mark.parametrize("name", ["curated-dataset", "Street signs 2026", "Straßenschilder", "v1.2_b", "x"])
def test_names_that_people_give_are_taken(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, f"release:\n  name: {name}\n").release.name == name


@pytest.mark.parametrize(
    "repo",
    ["nope", "a/b/c", "owner/", "/name", "a b/c", "owner/na--me", "owner/..", "owner/name.git", "../x"],
)
def test_a_repository_that_is_none_is_refused(tmp_path: Path, repo: str) -> None:
    with pytest.raises(
        ParamsError, match=r"params\.yaml:2: publish\.repo = .*: no repository: expected owner/name"
    ):
        load(tmp_path, f"publish:\n  repo: {repo!r}\n")


@pytest.mark.parametrize("repo", ["owner/name", "my-team/street.signs_2", "a/b"])
def test_repositories_that_are_some_are_taken(tmp_path: Path, repo: str) -> None:
    pytest.importorskip("huggingface_hub.utils").validate_repo_id(repo)
    assert load(tmp_path, f"publish: {{target: hub, repo: {repo}}}\n").publish.repo == repo


@pytest.mark.parametrize("text", ["publish: {target: hub}\n", "publish: {target: hub, repo: null}\n"])
def test_a_hub_needs_a_repository(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ParamsError, match=r"publish\.repo = None is refused: target hub needs the repository"
    ):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("license", "hint"),
    [
        ("CC-BY-4.0", "did you mean 'cc-by-4.0'"),
        ("apache2.0", "did you mean 'apache-2.0'"),
        ("proprietary, ask us", "other = say in the description which"),
    ],
)
def test_an_unknown_license_is_refused(tmp_path: Path, license: str, hint: str) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml:2: release\.license = ") as caught:
        load(tmp_path, f"release:\n  license: {license!r}\n")
    assert hint in str(caught.value)


@pytest.mark.parametrize("name", ["original", "extended|coco", "owner/name"])
def test_source_datasets_are_in_the_words_of_the_hub(tmp_path: Path, name: str) -> None:
    found = load(tmp_path, f"release: {{source_datasets: ['{name}']}}").release
    assert found.source_datasets == (name,)


@pytest.mark.parametrize("name", ["extended|", "see the paper"])
def test_other_words_for_source_datasets_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParamsError, match="is neither original, nor owner/name, nor extended"):
        load(tmp_path, f"release: {{source_datasets: ['{name}']}}")
