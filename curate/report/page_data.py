"""The figures of the page as plain values, for `json`: all but pictures, charts and paths of shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

_SHOWN: Final = (
    "name", "version", "digest", "simulated", "funnel", "released", "objects", "group_counts",
    "proposed", "scores", "model_versions", "detectors", "tiles", "overlap", "gates", "looks_done",
    "looks_needed", "periods", "annotators", "slices", "confusion", "by_people", "error_kinds",
    "errors_left_out", "errors", "queue", "worst", "splits", "split_categories", "quality", "demo",
    "licenses",
)  # fmt: skip
_LEFT_OUT: Final = {"picture", "pictures", "shapes"}


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows, as dictionaries, lists, strings and numbers."""
    return {name: _plain(content[name]) for name in _SHOWN}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _plain(getattr(value, name)) for name in names if name not in _LEFT_OUT}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
