"""Options of a source's file system, as the list of sources gives them; secrets from the environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from curate.errors import InputError

_SECRET = ("key", "secret", "token", "password", "credential", "connection_string", "sas", "username")
_NOT_SECRET = ("use_ssl", "anon", "key_file")


def options(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Storage options of the user with `env:NAME` replaced by that variable, at any depth.

    Args:
        given: As in the list of sources.
        where: File, line and source, for messages.

    Raises:
        InputError: A secret stands in the file, or a variable is not set.
    """
    return {name: _option(name, value, where) for name, value in given.items()}


def _option(name: str, value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return options(value, where)
    if isinstance(value, str) and value.startswith("env:"):
        variable = value.removeprefix("env:")
        if variable not in os.environ:
            raise InputError(f"{where}: storage.{name} wants the variable {variable}: set it before the run")
        return os.environ[variable]
    secret = name not in _NOT_SECRET and any(part in name.lower() for part in _SECRET)
    if secret and value is not None and not isinstance(value, bool):
        raise InputError(f"{where}: storage.{name} is a secret: write {name}: env:NAME and set that variable")
    return value
