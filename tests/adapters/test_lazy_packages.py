"""A submodule is asked for by its own name: many packages import theirs only when somebody else did before.

`huggingface_hub.utils` is there in a process in which transformers was imported, and an AttributeError in one
where it was not; tests that run side by side hide that. So the sources are read instead of run.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("curate", "pipelines", "demo", "benchmarks", "tests")
ASKS = {"require", "import_module", "importorskip"}


def asked_for(node: ast.AST) -> str | None:
    """The module that a call such as `require("torch", extra="autolabel")` gives."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0]
    if name in ASKS and isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


def holders(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Expressions that stand for a module, as source text, with the module's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or top, top
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            module = asked_for(node.value)
            if module is not None:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    yield ast.unparse(target), module
        elif isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                module = asked_for(inner.value) if isinstance(inner, ast.Return) and inner.value else None
                if module is not None:
                    yield f"{node.name}()", module


def named(tree: ast.AST) -> set[str]:
    """Every module that a file asks for by its own name, with the packages around it."""
    modules = set()
    for node in ast.walk(tree):
        module = asked_for(node)
        if module is not None:
            modules.add(module)
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return modules | {module.rsplit(".", depth)[0] for module in modules for depth in range(1, 5)}


@functools.cache
def folder_of(package: str) -> Path | None:
    """Where a package lies; nothing of it is imported. None = a module, part of Python, or not there."""
    top, *rest = package.split(".")
    spec = None if top in sys.stdlib_module_names else importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)), *rest)
    return folder if folder.is_dir() else None


@functools.cache
def imported_by_itself(package: str) -> frozenset[str]:
    """Submodules that `import package` brings for certain: its __init__ imports them, or binds their name."""
    init = (folder_of(package) or Path()) / "__init__.py"
    if not init.exists():
        return frozenset()
    tree = ast.parse(init.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []  # never runs
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            node.module, node.level = ".".join(filter(None, (package, node.module))), 0
    inside = {name.removeprefix(f"{package}.") for name in named(tree) if name.startswith(f"{package}.")}
    aliases = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    return frozenset({name.partition(".")[0] for name in inside} | {a.asname or a.name for a in aliases})


def by_luck(source: str) -> list[str]:
    """Uses of a submodule that nothing in the file asked for: "line: package.submodule"."""
    tree = ast.parse(source)
    modules, asked = dict(holders(tree)), named(tree)
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        package = asked_for(node.value) or modules.get(ast.unparse(node.value))
        folder = None if package is None else folder_of(package)
        if package is None or folder is None or f"{package}.{node.attr}" in asked:
            continue
        is_module = (folder / f"{node.attr}.py").exists() or (folder / node.attr / "__init__.py").exists()
        if is_module and node.attr not in imported_by_itself(package):
            found.append(f"{node.lineno}: {package}.{node.attr}")
    return sorted(found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_submodule_is_there_by_luck(folder: str) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): by_luck(path.read_text(encoding="utf-8"))
        for path in (ROOT / folder).rglob("*.py")
        if "peer_runners" not in path.parts  # programs of other environments
    }
    assert len(found) > 3
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('hub = require("huggingface_hub", extra="hub")\nhub.utils.x()', ["2: huggingface_hub.utils"]),
        ('class A:\n def f(self):\n  self.h = require("huggingface_hub")\n  self.h.errors',
         ["4: huggingface_hub.errors"]),
        ('require("huggingface_hub", extra="hub").constants.ENDPOINT', ["1: huggingface_hub.constants"]),
        ('def hub():\n return require("huggingface_hub")\nhub().utils', ["3: huggingface_hub.utils"]),
        ("import huggingface_hub as h\nh.utils", ["2: huggingface_hub.utils"]),
        ("import huggingface_hub\nimport huggingface_hub.utils\nhuggingface_hub.utils", []),
        ('hub = require("huggingface_hub")\nhub.HfApi()', []),
        ('utils = require("huggingface_hub.utils", extra="hub")\nutils.x', []),
        ('torch = require("torch")\ntorch.nn.functional', []),  # torch's __init__ imports nn
    ],
)  # fmt: skip
def test_the_check_sees_every_way_to_hold_a_module(source: str, found: list[str]) -> None:
    pytest.importorskip("huggingface_hub")
    assert by_luck(source) == found
