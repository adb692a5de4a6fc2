"""Polygons of what was shown: the page shows such a suggestion as its upright box and its mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from curate.shown.record import ShownRecord

_SAME_PX = 0.01  # of an edge: percent of the image on the page and back


class ShownOutlines:
    """Every polygon that was ever shown, by annotation_id."""

    def __init__(self, known: ShownRecord) -> None:
        """Collect the polygons of the record.

        Args:
            known: The record of what was shown.
        """
        drawn = known.suggestions.filter(pc.is_valid(known.suggestions["polygon"]))
        self._by_id: dict[str, list[Mapping[str, Any]]] = {}
        for row in drawn.to_pylist():
            self._by_id.setdefault(row["annotation_id"], []).append(row)

    def polygon(self, row: Mapping[str, Any]) -> str | None:
        """Polygon of a row of `annotations`: its own, or that of the suggestion it was left as.

        It was left as that one if box and mask are alike.
        """
        if row["outcome"] != "object" or row["polygon"] is not None:
            return None if row["polygon"] is None else str(row["polygon"])
        for shown in reversed(self._by_id.get(row["parent_id"] or "", ())):
            edges = zip(shown["bbox_xyxy"], row["bbox_xyxy"], strict=True)
            if shown["rle"] == row["rle"] and all(abs(a - b) <= _SAME_PX for a, b in edges):
                return str(shown["polygon"])
        return None
