"""Answers that were given under an older guideline or taxonomy: for another look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.qa.joined_answers import Flags, Looks


@dataclass(frozen=True, slots=True)
class Outdated:
    """Answers under another guideline or taxonomy than today's.

    Attributes:
        look: Rows of `Looks`, rising.
        guideline: Whether the guideline was another one, by row.
        taxonomy: Whether the taxonomy was.
        unknown: Answers of which one of the two is not known; they are not listed.
    """

    look: NDArray[np.int64]
    guideline: Flags
    taxonomy: Flags
    unknown: int

    def reasons(self) -> list[str]:
        """What was another one, by row: guideline, taxonomy, or both."""
        words = ("", "guideline", "taxonomy", "guideline and taxonomy")
        return [words[code] for code in (self.guideline + 2 * self.taxonomy.astype(np.int64)).tolist()]


def find(looks: Looks, *, guideline: str | None, taxonomy: str | None) -> Outdated:
    """Compare what each answer was made under with what counts now.

    Args:
        looks: All answers.
        guideline: Digest of today's guideline; None = there is none, or it is not known: nothing is compared.
        taxonomy: Digest of today's taxonomy, likewise.
    """
    old_guideline, no_guideline = _compare(looks.table["guideline_digest"], guideline)
    old_taxonomy, no_taxonomy = _compare(looks.table["taxonomy_digest"], taxonomy)
    rows = np.flatnonzero(old_guideline | old_taxonomy)
    unknown = (no_guideline | no_taxonomy) & ~(old_guideline | old_taxonomy)
    return Outdated(rows, old_guideline[rows], old_taxonomy[rows], int(unknown.sum()))


def _compare(column: pa.ChunkedArray, current: str | None) -> tuple[Flags, Flags]:
    """Which rows have another digest, and which have none though there is one now."""
    if current is None:
        nothing = np.zeros(len(column), dtype=np.bool_)
        return nothing, nothing
    other = pc.fill_null(pc.not_equal(column, current), False)
    return (
        np.asarray(other.to_numpy(), dtype=np.bool_),
        np.asarray(pc.is_null(column).to_numpy(), dtype=np.bool_),
    )
