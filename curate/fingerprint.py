"""Which code made a thing: one digest over the source of its modules, found by following their imports.

Whatever is kept between runs (indexes, caches, compiled kernels, stages of DVC) is kept under such a digest,
so that it is made again after an upgrade exactly where the code behind it changed. Comments, docstrings and
layout are no code: they change nothing that is computed.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Packages whose imports are followed, where they are there; all others have versions.
ROOTS: Final = ("curate", "curate_pipelines", "benchmarks")
# What errors are called, what is installed, and which settings there are: decides about no result of its own.
# Settings stand in the key of whatever depends on them.
DECIDES_NOTHING: Final = ("curate.errors", "curate.extras", "curate.params")


@dataclass(frozen=True, slots=True)
class _Source:
    """What one file says.

    Attributes:
        digest: Hex SHA-256 of its syntax tree, without docstrings.
        imports: (module, name) of each import; the name is "" for `import module`.
        passed_on: The import behind each name that the module has from another one.
    """

    digest: str
    imports: tuple[tuple[str, str], ...]
    passed_on: dict[str, tuple[str, str]]


def digest(*modules: str, packages: Collection[str] = (), without: Collection[str] = ()) -> str:
    """Digest of the code that some modules consist of, with all that they import from this project.

    Imports inside functions are followed too. A name that a package only passes on
    (`from curate.params import DedupeParams`) leads to the module that defines it.

    Args:
        modules: Dotted names, such as "curate.dedupe.features". Those of other packages must be loaded: a
            user's own model, say.
        packages: Installed distributions whose versions count too, such as "pillow".
        without: Modules that do not count and whose imports are not followed. A package stands for all in
            it; "package.__init__" for its own file only.

    Returns:
        Hex SHA-256. Equal code gives an equal digest on every machine with the same minor version of Python.

    Raises:
        ModuleNotFoundError: One of the modules does not exist.

    Example:
        >>> digest("curate.errors") == digest("curate.errors", "curate.errors")
        True
    """
    total = hashlib.sha256()
    for name in imported(*modules, without=without):
        path = _file(name)
        assert path is not None  # noqa: S101 - `imported` names existing modules only
        total.update(f"{name}={_source(name, path).digest}\n".encode())
    for package in sorted(packages):
        total.update(f"{package}=={_version(package)}\n".encode())
    return total.hexdigest()


def imported(*modules: str, without: Collection[str] = ()) -> tuple[str, ...]:
    """The modules and all modules of this project that they import, directly or not, sorted by name.

    Args:
        modules: Dotted names.
        without: Modules that are left out, and whose imports are not followed; as for `digest`.

    Raises:
        ModuleNotFoundError: One of the modules does not exist.
    """
    waiting, reached = list(modules), set[str]()
    while waiting:
        name = waiting.pop()
        if name in reached or _is_one_of(name, without):
            continue
        path = _file(name)
        if path is None:
            raise ModuleNotFoundError(f"no module {name} in {' or '.join(ROOTS)}", name=name)
        reached.add(name)
        waiting += {_defining(module, of) for module, of in _source(name, path).imports}
    return tuple(sorted(reached))


def modules(package: str) -> tuple[str, ...]:
    """All modules of an installed package of this project, sorted by name, itself first."""
    top = _file(package)
    if top is None:
        raise ModuleNotFoundError(f"no package {package} in {' or '.join(ROOTS)}", name=package)
    folder = top.parent
    parts = sorted(path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py"))
    names = (".".join([package, *(one for one in part if one != "__init__")]) for part in parts)
    return tuple(sorted(names))


def _is_one_of(name: str, without: Collection[str]) -> bool:
    return f"{name}.__init__" in without or any(f"{name}.".startswith(f"{one}.") for one in without)


def _defining(module: str, name: str) -> str:
    """The module that `from module import name` leads to."""
    if name and _file(f"{module}.{name}") is not None:
        return f"{module}.{name}"
    path = _file(module)
    if not name or path is None or path.name != "__init__.py":
        return module
    behind = _source(module, path).passed_on.get(name)
    return _defining(*behind) if behind else module


def _source(name: str, path: Path) -> _Source:
    """The file as it is now."""
    state = path.stat()
    return _parsed(name, path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4096)
def _parsed(name: str, path: Path, _mtime_ns: int, _size: int) -> _Source:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports, passed_on = set[tuple[str, str]](), dict[str, tuple[str, str]]()
    for node in ast.walk(tree):
        for bound, module, of in _imports(node, package):
            imports.add((module, of))
            passed_on[bound] = module, of
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    content = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Source(content, tuple(sorted(imports)), passed_on)


def _imports(node: ast.AST, package: str) -> Iterator[tuple[str, str, str]]:
    """(bound name, module, imported name) of an import from this project."""
    if isinstance(node, ast.Import):
        found = [(alias.asname or alias.name, alias.name, "") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        found = [(alias.asname or alias.name, module, alias.name) for alias in node.names]
    else:
        return
    yield from (one for one in found if one[1].partition(".")[0] in ROOTS)


def _is_text(statement: ast.stmt) -> bool:
    """Docstrings, of attributes too: a text that stands alone does nothing."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@functools.cache
def _root(name: str) -> Path | None:
    """The folder of one of the packages; found without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


@functools.cache
def _file(module: str) -> Path | None:
    """The source file of a module of this project, or of one that is loaded; None if there is none."""
    root, *parts = module.split(".")
    if root not in ROOTS:
        loaded = getattr(sys.modules.get(module), "__file__", None)
        return Path(loaded) if loaded and loaded.endswith(".py") else None
    folder = _root(root)
    if folder is None:
        return None
    path = folder.joinpath(*parts)
    candidates = (path / "__init__.py", path.with_suffix(".py")) if parts else (path / "__init__.py",)
    return next((one for one in candidates if one.is_file()), None)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
