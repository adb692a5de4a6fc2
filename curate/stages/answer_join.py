"""Answers joined to what was shown when they were begun, row by row while pull writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from curate.shown.join import IMPORTED, Begun, Showings
from curate.shown.outlines import ShownOutlines
from curate.shown.record import ShownRecord


class AnswerJoin:
    """Joins the rows of one snapshot; its annotations pass first, because descent tells what was shown.

    Attributes:
        not_joined: Submitted answers that nobody replaced, without a row of the record, by reason.
    """

    def __init__(self, record: ShownRecord) -> None:
        """Prepare; answers are joined piece by piece.

        Args:
            record: Of what was shown.
        """
        self.not_joined: Counter[str] = Counter()
        self._showings = Showings(record)
        self._outlines = ShownOutlines(record)
        self._changed = self._showings.changed()
        self._parents: dict[tuple[str, str], set[str]] = {}

    def annotation(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row of `annotations` with the guideline and taxonomy under which it got its present form.

        An object that was left as it was shown keeps the polygon that the page does not show.
        """
        key = (row["task_id"], row["annotator_id"])
        if row["parent_id"] is not None and key[0] in self._changed:
            self._parents.setdefault(key, set()).add(row["parent_id"])
        return {**row, "polygon": self._outlines.polygon(row), **self._texts(row)}

    def answer(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row of `answers` with what it was begun under; imported ones were begun elsewhere."""
        if row.get("not_joined") == IMPORTED:
            return row
        begun = self._begun(row)
        last = row["outcome"] not in {"draft", "unattended"} and not row["superseded"]
        if begun.why is not None and last:
            self.not_joined[begun.why] += 1
        return {
            **row,
            **self._texts(row),
            "shown_id": None if begun.showing is None else begun.showing.shown_id,
            "not_joined": begun.why,
            "model_version": None if begun.showing is None else begun.showing.model_version,
        }

    def _begun(self, row: Mapping[str, Any]) -> Begun:
        current = row["outcome"] != "draft" and not row["superseded"]
        parents = self._parents.get((row["task_id"], row["annotator_id"])) if current else None
        return self._showings.begun(
            row["task_id"],
            row["annotator_id"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            lead_time_s=row["lead_time_s"],
            parents=parents or frozenset(),
        )

    def _texts(self, row: Mapping[str, Any]) -> dict[str, str | None]:
        then = self._showings.texts_at(row["updated_at"])
        return {
            "guideline_digest": None if then is None else then.guideline,
            "taxonomy_digest": None if then is None else then.taxonomy,
        }
