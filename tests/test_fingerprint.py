"""A digest of code: what it follows, what changes it, what does not."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from pathlib import Path

import grimp
import pytest

import curate
from curate import fingerprint


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `made` on the path."""
    folder = tmp_path / "made"
    (folder / "inner").mkdir(parents=True)
    for name, text in {
        "__init__.py": "from made.never import all_of_it\n",
        "never.py": "all_of_it = 1\n",
        "start.py": '"""Starts."""\nfrom made import plain\nfrom made.inner import passed\nimport os\n',
        "plain.py": "def lazy():\n    '''Why.'''\n    from .below import value\n    return value\n",
        "below.py": "value = 1\n",
        "inner/__init__.py": "from made.inner.one import passed\nfrom made.inner.two import other\n",
        "inner/one.py": "passed = 1\n",
        "inner/two.py": "other = 2\n",
        "apart.py": "x = 1\n",
    }.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fingerprint, "ROOTS", ("made",))
    for function in (fingerprint._root, fingerprint._file, fingerprint._parsed):
        function.cache_clear()
    yield folder
    for function in (fingerprint._root, fingerprint._file, fingerprint._parsed):
        function.cache_clear()


@pytest.mark.usefixtures("project")
def test_imports_are_followed_into_functions_and_through_packages_that_pass_a_name_on() -> None:
    assert fingerprint.imported("made.start") == ("made.below", "made.inner.one", "made.plain", "made.start")


@pytest.mark.usefixtures("project")
def test_what_is_left_out_is_not_followed() -> None:
    assert fingerprint.imported("made.start", without=["made.inner"]) == (
        "made.below",
        "made.plain",
        "made.start",
    )
    assert fingerprint.imported("made", without=["made.__init__"]) == ()
    assert fingerprint.imported("made.start", without=["made.plain"]) == ("made.inner.one", "made.start")


@pytest.mark.parametrize("file", ["start.py", "plain.py", "below.py", "inner/one.py"])
def test_every_change_of_code_behind_it_changes_the_digest(project: Path, file: str) -> None:
    before = fingerprint.digest("made.start")
    path = project / file
    path.write_text(path.read_text() + "more = 1\n")
    assert fingerprint.digest("made.start") != before


@pytest.mark.parametrize("file", ["apart.py", "inner/two.py", "inner/__init__.py", "never.py"])
def test_other_code_does_not(project: Path, file: str) -> None:
    before = fingerprint.digest("made.start")
    path = project / file
    path.write_text(path.read_text() + "more = 1\n")
    assert fingerprint.digest("made.start") == before


def test_comments_docstrings_and_layout_are_no_code(project: Path) -> None:
    before = fingerprint.digest("made.start")
    (project / "plain.py").write_text(
        "'''A module.'''\n# a comment\ndef lazy():\n    '''Other words.'''\n"
        "    from .below import (\n        value,\n    )\n\n    return value\n"
    )
    assert fingerprint.digest("made.start") == before


def test_a_text_that_is_a_value_is_code(project: Path) -> None:
    (project / "below.py").write_text("value = 'a'\n")
    before = fingerprint.digest("made.start")
    (project / "below.py").write_text("value = 'b'\n")
    assert fingerprint.digest("made.start") != before


def test_versions_of_named_packages_count(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, before = (
        fingerprint.digest("curate.errors"),
        fingerprint.digest("curate.errors", packages=["numpy"]),
    )
    assert alone != before
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "99")
    assert fingerprint.digest("curate.errors", packages=["numpy"]) != before
    assert fingerprint.digest("curate.errors") == alone


def test_a_module_of_a_user_counts_with_what_it_takes_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own_model_of_a_user.py"
    path.write_text("from curate.errors import ModelError\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("own_model_of_a_user")
    assert fingerprint.imported("own_model_of_a_user") == ("curate.errors", "own_model_of_a_user")
    before = fingerprint.digest("own_model_of_a_user")
    path.write_text("from curate.errors import ModelError\nmore = 1\n")
    assert fingerprint.digest("own_model_of_a_user") != before


def test_all_modules_of_a_package() -> None:
    assert set(fingerprint.modules("curate")) == {"curate"} | {
        one.name for one in pkgutil.walk_packages(curate.__path__, "curate.")
    }


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"curate\.nothing"):
        fingerprint.digest("curate.nothing")


def test_the_same_modules_as_another_reader_of_imports_finds() -> None:
    """grimp parses by itself; it leads a name that a package passes on to the package, not to its origin."""
    graph = grimp.build_graph("curate", "curate_pipelines", cache_dir=None)
    packages = {module for module in graph.modules if graph.find_children(module)}
    names = [one.name for one in pkgutil.walk_packages(curate.__path__, "curate.")]
    exact = 0
    for name in names:
        theirs = graph.find_upstream_modules(name) | {name}
        ours = set(fingerprint.imported(name))
        through_packages = packages & theirs
        assert ours <= theirs, name
        if not any(graph.find_modules_directly_imported_by(one) for one in through_packages - {name}):
            assert ours | through_packages == theirs, name
            exact += 1
    assert exact > 100
