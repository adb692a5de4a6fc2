"""A digest of the code that decides what becomes of a file, so that a change of it reads files again."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path

from curate import images

_NOT_ASKED = {"load.py", "metadata.py", "bits.py", "eighth.py", "skimming.py"}  # for later stages
_DECODERS = ("pillow_jxl", "pillow_heif", "jpeglib")  # verdicts differ where one is missing


@functools.cache
def digest() -> str:
    """Changes with every statement in `curate/images`, not with comments; and with the decoders there are.

    Versions of libraries are not part of it: after an upgrade use `verify` where bit-equal files matter.
    """
    digested = hashlib.sha256()
    for path in sorted(Path(images.__file__).parent.rglob("*.py")):
        if path.name not in _NOT_ASKED:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            digested.update(f"{path.name}\n{ast.dump(_without_docstrings(tree))}\n".encode())
    for name in _DECODERS:
        digested.update(f"{name}={importlib.util.find_spec(name) is not None}\n".encode())
    return digested.hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree
