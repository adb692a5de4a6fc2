from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from curate import schema
from curate.agreement import image_answers
from curate.agreement.settled_choices import SettledChoices

CHOICES = schema.ANSWERS.arrow.field("choices").type


def settled(work: Mapping[tuple[str, str], Mapping[str, Sequence[str]]], **changes: object) -> SettledChoices:
    rows = [
        {"image_id": image, "annotator_id": person, "outcome": "submitted", "superseded": False,
         "choices": list(chosen.items()), **changes}
        for (image, person), chosen in work.items()
    ]  # fmt: skip
    wanted = pa.schema([(name, schema.ANSWERS.arrow.field(name).type) for name in image_answers.COLUMNS])
    table = pa.Table.from_pylist(rows, schema=wanted)
    return image_answers.settle(table, planned={image for image, _ in work}, min_votes_share=0.5)


def test_one_choice_is_settled_by_two_and_disputed_between_two() -> None:
    found = settled(
        {
            ("one", "ann"): {"light": ["night"]}, ("one", "ben"): {"light": ["night"]},
            ("one", "cem"): {"light": ["day"]},
            ("two", "ann"): {"light": ["night"]}, ("two", "ben"): {"light": ["day"]},
            ("alone", "ann"): {"light": ["day"]},
        }
    )  # fmt: skip
    assert dict(found.answers) == {"one": {"light": ["night"]}, "alone": {"light": ["day"]}}
    assert dict(found.disputed) == {"two": ["light"]}
    assert 0.5 < found.confidence["one"]["light"] <= 1


def test_several_choices_are_settled_one_by_one() -> None:
    found = settled(
        {
            ("one", "ann"): {"seen": ["rain", "fog"]}, ("one", "ben"): {"seen": ["rain"]},
            ("one", "cem"): {"seen": ["rain"]},
            ("two", "ann"): {"seen": ["rain", "fog"]}, ("two", "ben"): {"seen": ["rain"]},
        }
    )  # fmt: skip
    assert dict(found.answers) == {"one": {"seen": ["rain"]}}
    assert dict(found.disputed) == {"two": ["seen"]}


def test_where_no_two_answered_one_question_its_confidence_is_not_known() -> None:
    found = settled({("one", "ann"): {"light": ["day"]}, ("two", "ben"): {"light": ["night"]}})
    assert dict(found.answers) == {"one": {"light": ["day"]}, "two": {"light": ["night"]}}
    assert not any(found.confidence.values())


@pytest.mark.parametrize("change", [{"outcome": "draft"}, {"outcome": "skipped"}, {"superseded": True}])
def test_drafts_skips_and_replaced_answers_say_nothing(change: dict[str, object]) -> None:
    assert not settled({("one", "ann"): {"light": ["day"]}}, **change).answers


def test_who_gave_no_choice_has_no_vote() -> None:
    found = settled({("one", "ann"): {"light": ["day"]}, ("one", "ben"): {"light": []}, ("one", "cem"): {}})
    assert dict(found.answers) == {"one": {"light": ["day"]}}
    assert not found.disputed
