"""`import curate`: about twenty names, each with an example that runs; nothing heavy until one is used."""

from __future__ import annotations

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import curate
from curate import agreement

ROOT = Path(__file__).parents[2]
NAMES = sorted(set(curate.__all__) - {"__version__"})
HEAVY = (
    "torch",
    "torchvision",
    "transformers",
    "label_studio_sdk",
    "datasets",
    "huggingface_hub",
    "fiftyone",
)
HEAVY += ("ray", "segment_anything", "groundingdino", "numba", "dvc")


def test_the_three_lists_of_names_are_one() -> None:
    tree = ast.parse((ROOT / "curate/__init__.py").read_text())
    imported = {
        alias.asname or alias.name: (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == curate._PUBLIC
    assert sorted(curate._PUBLIC) == NAMES
    assert 15 <= len(NAMES) <= 25
    assert set(NAMES) <= set(dir(curate))


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_each_name_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    function = getattr(curate, name)
    module = inspect.getmodule(function)
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, name, module=module, globs={**vars(module), "Path": Path})
    assert example.examples, f"curate.{name} has no example"
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert result.failed == 0


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'find_duplicate'"):
        curate.find_duplicate  # noqa: B018


@pytest.mark.parametrize(
    "program",
    [
        "import curate",
        "import curate; dir(curate)",
        "from curate import cli; cli.app(['--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    check = (
        f"import sys; {program}; print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_agreement_alone_has_names_and_an_example_that_runs() -> None:
    assert sorted(agreement.__all__) == sorted(agreement._MODULE)
    assert all(callable(getattr(agreement, name)) for name in agreement.__all__)
    assert doctest.testmod(agreement).failed == 0
    with pytest.raises(AttributeError, match="no attribute 'kapa'"):
        agreement.kapa  # noqa: B018
