"""What people agree on of whole images: the answers to questions such as "is it night?"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from curate.agreement import settled_choices
from curate.agreement.settled_choices import SettledChoices

COLUMNS = ("image_id", "annotator_id", "outcome", "superseded", "choices")


def settle(answers: pa.Table, *, planned: Collection[str], min_votes_share: float) -> SettledChoices:
    """Settle every question about the image, as `settled_choices.settle` does.

    Args:
        answers: `COLUMNS` of the `answers` table; drafts, skipped and replaced answers say nothing.
        planned: Images that count.
        min_votes_share: In [0.5, 1].
    """
    given: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(dict)
    some = np.flatnonzero(np.diff(answers["choices"].combine_chunks().offsets.to_numpy()))
    for row in answers.select(list(COLUMNS)).take(pa.array(some)).to_pylist():
        if row["outcome"] == "submitted" and not row["superseded"] and row["image_id"] in planned:
            for control, chosen in row["choices"]:
                if chosen:
                    given[control][row["image_id"], row["annotator_id"]] = sorted(set(chosen))
    return settled_choices.settle(given, min_votes_share=min_votes_share)
