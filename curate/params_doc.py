"""docs/parameters.md, made from the parameter models; a test keeps the page and params.yaml true to them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curate.params import Params

_HEAD = """# Parameters

Made from the models in `curate/params/` by `curate params doc`; do not edit by hand. The values of your
project stand in `params.yaml`; what is left out there has the default below. An unknown name, a wrong type
or a value out of range is refused with the line, the value and the nearest known name.
"""

_BOUNDS = {  # by the attribute of annotated_types' and pydantic's rules
    "ge": "≥ {}",
    "gt": "> {}",
    "le": "≤ {}",
    "lt": "< {}",
    "min_length": "at least {} characters",
    "max_length": "at most {} characters",
    "pattern": "matches `{}`",
}


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter: where it stands, what it may be, what it means."""

    location: tuple[str, ...]
    kind: str
    default: str
    allowed: str
    description: str


def knobs(model: type[BaseModel] = Params, prefix: tuple[str, ...] = ()) -> Iterator[Knob]:
    """Every parameter below `model`, in the order of the models."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from knobs(annotation, (*prefix, name))
        else:
            yield Knob(
                location=(*prefix, name),
                kind=_kind(annotation),
                default=_text(field.get_default(call_default_factory=True)),
                allowed=_allowed(field),
                description=field.description or "",
            )


def page() -> str:
    """The Markdown of docs/parameters.md."""
    parts = [_HEAD]
    section: str | None = None
    for knob in knobs():
        if knob.location[0] != section:
            section = knob.location[0]
            model = Params.model_fields[section].annotation
            parts.append(f"\n## {section}\n\n{(getattr(model, '__doc__', '') or '').strip()}\n")
            parts.append("| parameter | type | default | allowed | meaning |\n|---|---|---|---|---|")
        cells = (
            f"`{'.'.join(knob.location)}`",
            knob.kind,
            f"`{knob.default}`",
            knob.allowed,
            knob.description,
        )
        parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(parts) + "\n"


def _kind(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "choice"
    if typing.get_origin(annotation) is tuple:  # tuple[X, ...]: a YAML list
        return f"list of {_kind(typing.get_args(annotation)[0])}"
    if typing.get_origin(annotation) is dict:  # a YAML mapping
        return f"names with {_kind(typing.get_args(annotation)[1])}"
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return " or ".join(_kind(part) for part in typing.get_args(annotation))
    names = {
        Path: "path",
        str: "text",
        int: "integer",
        float: "number",
        bool: "true or false",
        type(None): "null",
    }
    return names[annotation]


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(field: FieldInfo) -> str:
    for part in (field.annotation, *typing.get_args(field.annotation)):
        if typing.get_origin(part) is Literal:
            return ", ".join(f"`{choice}`" for choice in typing.get_args(part))
    return ", ".join(bound for rule in field.metadata if (bound := _bound(rule)) is not None)


def _bound(rule: Any) -> str | None:
    for attribute, text in _BOUNDS.items():
        value = getattr(rule, attribute, None)
        if value is not None:
            return text.format(value)
    return None
