"""YAML files of the user, checked by a pydantic model, with messages that name the line."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
import yaml.resolver
from pydantic import BaseModel, ValidationError
from yaml.reader import ReaderError

from curate.errors import ParamsError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


class _UniqueKeyLoader(yaml.SafeLoader):
    """A key written twice is an error: plain YAML silently keeps the last one."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; what it cannot be, such as February 30, with its line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem="a list or a mapping as a key", problem_mark=key_node.start_mark
            )
        key = key_node.value
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"{key!r} is given twice", problem_mark=key_node.start_mark)
        seen.add(key)
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_model(
    path: Path,
    model: type[Model],
    *,
    before: Callable[[Any, Path, Mapping[Location, int]], Any] | None = None,
) -> Model:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file. An empty one means all defaults.
        model: A model with `extra="forbid"`.
        before: Gets the content, the path and the line of every key, and gives the content that the model
            sees: a place to read what older files say.

    Raises:
        ParamsError: One line: file, line, parameter, value, what is allowed, and the nearest known name
            for an unknown one. Only the first problem is told.
    """
    data, lines = load_yaml(path)
    data = {} if data is None else data
    try:
        return model.model_validate(data if before is None else before(data, path, lines))
    except ValidationError as error:
        raise ParamsError(_explain(path, model, lines, error)) from error


def load_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """The content of a YAML file, and the line (from 1) of every key and list item.

    Raises:
        ParamsError: Missing, unreadable, not YAML, or a key given twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} does not exist: create it, see docs/") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} cannot be read: {error}") from error
    lines: dict[Location, int] = {}
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _collect_lines(root, (), lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ParamsError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ParamsError(f"{path}:{line}: not valid YAML: character {error.character:#04x}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return data, lines


def _collect_lines(node: yaml.Node, location: Location, lines: dict[Location, int]) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*location, key.value)] = key.start_mark.line + 1
            _collect_lines(value, (*location, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*location, index), lines)


def _explain(
    path: Path, model: type[BaseModel], lines: Mapping[Location, int], error: ValidationError
) -> str:
    # An unknown name first: it is most often the reason why another one is missing.
    first = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    location: Location = tuple(first["loc"])
    known = location
    while known not in lines and known:
        known = known[:-1]
    name = ".".join(map(str, location)) or path.name
    where = f"{path}:{lines.get(known, 1)}: {name}"
    if first["type"] == "extra_forbidden":
        names = _names_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}"
        return f"{where} = {first['input']!r} is unknown; {hint}"
    if first["type"] == "missing":
        return f"{where} is missing"
    return f"{where} = {first['input']!r} is refused: {_lower(first['msg'])}"


def _names_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    current: type[BaseModel] = model
    for step in location:
        if isinstance(step, int):
            continue
        inner = _model_in(current.model_fields[step].annotation)
        if inner is None:
            return []
        current = inner
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
