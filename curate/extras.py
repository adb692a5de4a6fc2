"""The one door for optional imports."""

from __future__ import annotations

import importlib
from typing import Any

from curate.errors import MissingExtraError


def require(module: str, *, extra: str) -> Any:
    """Import an optional module, or say which pip extra brings it.

    Args:
        module: Dotted name, such as "torch" or "label_studio_sdk.converter.brush".
        extra: Name of the extra in pyproject.toml that installs it.

    Returns:
        The imported module. Typed `Any`: most of these packages ship no types.

    Raises:
        MissingExtraError: The module's package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != top:
            raise  # installed, but broken inside: that traceback is worth more than our line
        raise MissingExtraError(
            f"{module} is not installed: run pip install 'curate-vision[{extra}]'"
        ) from error
