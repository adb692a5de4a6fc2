"""Which samples hold what nobody pulled; on documents as the database keeps them, without FiftyOne."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from curate.adapters import fiftyone_edits, fiftyone_pulled
from curate.adapters.fiftyone_documents import StoredSample
from curate.adapters.fiftyone_pulled import DRAWN, HELD, PULLED, Unpulled
from curate.adapters.fiftyone_samples import SampleDraft
from curate.decision_file import Decision
from tests import builders
from tests.builders import image_id

X, Y, Z = image_id("one"), image_id("copy"), image_id("two")
BOX = (0.1, 0.1, 0.2, 0.2)
LABEL = {
    "label": "dog", "bounding_box": list(BOX), "annotation_id": "a1", "tags": [],
    "synced": fiftyone_edits.fingerprint("dog", BOX),
}  # fmt: skip


def sample(label: dict[str, Any] | None = None, **values: Any) -> StoredSample:
    """The image X with one label, or without."""
    labels = [] if label is None else [LABEL | label]
    return StoredSample(
        {
            "image_id": X, "tags": [], "metadata": {"width": 100, "height": 100},
            "last_modified_at": datetime(2026, 1, 1, tzinfo=UTC), "curate_digest": "digest 1",
            "consensus": {"detections": labels}, "curate_labels": ["consensus a1"] if labels else [],
            **values,
        }
    )  # fmt: skip


def draft(*annotation_ids: str, **values: str) -> SampleDraft:
    """What the tables say of it now."""
    rows = [
        builders.annotation("one", "dog", (10.0, 10.0, 30.0, 30.0), annotation_id=key)
        for key in annotation_ids
    ]
    return SampleDraft(builders.image("one"), Path("one.jpg"), (), values, {"consensus": tuple(rows)})


def dataset(*decisions: Decision, held: tuple[Decision, ...] = (), tagged: tuple[str, ...] = ()) -> MagicMock:
    """One that decisions were pulled from."""
    made = MagicMock(info={PULLED: [list(one.key) for one in (*decisions, *held)]})
    made.match_tags.return_value.values.return_value = list(tagged)
    fiftyone_pulled.hold(made, held, {X: "digest 1"})
    return made


DROP, DIFFERENT = Decision(0, X, "drop"), Decision(0, X, "different", other=Y)
RELABEL = Decision(0, X, "relabel", annotation="a1", argument="cat", box="10 10 30 30")


@pytest.mark.parametrize(
    ("pulled", "found", "waits"),
    [
        (dataset(), sample(), False),
        (dataset(), sample(tags=["look", "kept"]), False),
        (dataset(), sample(tags=["drop"]), True),
        (dataset(DROP), sample(tags=["drop"]), False),
        (dataset(DROP), sample(), True),
        (dataset(Decision(0, Z, "drop")), sample(), False),
        (dataset(), sample(tags=["not-duplicate"], duplicate_of=Y), True),
        (dataset(DIFFERENT, tagged=(X,)), sample(tags=["not-duplicate"]), False),
        (dataset(DIFFERENT, tagged=(Y,)), sample(), False),
        (dataset(DIFFERENT), sample(), True),
        (dataset(), sample({"label": "cat"}), True),
        (dataset(), sample({"tags": ["relabel:cat"]}), True),
        (dataset(held=(RELABEL,)), sample({"tags": ["relabel:cat"]}), False),
        (dataset(held=(RELABEL,)), sample({}), True),
        (dataset(held=(RELABEL,)), sample({}, curate_digest="digest 2"), False),
    ],
)  # fmt: skip
def test_a_sample_waits_for_what_would_be_lost_with_it(
    pulled: MagicMock, found: StoredSample, waits: bool
) -> None:
    assert Unpulled.of(pulled).in_sample(found) == waits


@pytest.mark.parametrize(
    ("pulled", "found", "new", "waits"),
    [
        (dataset(), sample(tags=["drop"]), draft("a1"), False),
        (dataset(DROP), sample(), draft("a1"), False),
        (dataset(), sample(tags=["not-duplicate"], duplicate_of=Y), draft(duplicate_of=Y), False),
        (dataset(), sample(tags=["not-duplicate"], duplicate_of=Y), draft(duplicate_of=Z), True),
        (dataset(), sample(tags=["not-duplicate"], variant_of=Y), draft(), True),
        (dataset(), sample({"label": "cat"}), draft("a1"), True),
        (dataset(), sample({"tags": ["relabel:cat"]}), draft("a1"), False),
        (dataset(), sample({"tags": ["relabel:cat"]}), draft("a2"), True),
        (dataset(held=(RELABEL,)), sample({"tags": ["relabel:cat"]}), draft("a2"), False),
        (dataset(held=(RELABEL,)), sample({}), draft("a1"), True),
    ],
)
def test_a_sample_is_not_written_anew_over_what_would_be_lost(
    pulled: MagicMock, found: StoredSample, new: SampleDraft, waits: bool
) -> None:
    assert Unpulled.of(pulled).in_labels(found, new) == waits


def test_samples_that_are_made_had_no_tags() -> None:
    other = Decision(0, Z, "keep")
    made = dataset(DROP, DIFFERENT, other, held=(RELABEL,))
    fiftyone_pulled.forget_tags(made, [X])
    assert fiftyone_pulled.keys(made) == {other.key, RELABEL.key}


def test_only_lines_that_no_sample_had_yet_are_shown() -> None:
    made = dataset(DROP)
    fresh = Decision(5, Z, "drop", argument="dark")
    fiftyone_pulled.show(made, [DROP, fresh, RELABEL])
    made.match.assert_called_once_with({"image_id": {"$in": [Z]}})
    made.match.return_value.match_tags.assert_called_once_with("drop:dark", bool=False)
    assert fiftyone_pulled.keys(made) == {DROP.key, fresh.key}
    assert DRAWN not in made.info
    assert made.info[HELD] == {}
