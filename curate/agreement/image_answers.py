"""What people agree on of whole images: the answers to questions such as "is it night?"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from curate.agreement import dawid_skene, vote_rules

COLUMNS = ("image_id", "annotator_id", "outcome", "superseded", "choices")
Given = Mapping[tuple[str, str], Sequence[str]]  # (image, annotator) to choices


@dataclass(slots=True)
class ImageAnswers:
    """The settled answers.

    Attributes:
        answers: Choices by image, then by control; a control that is disputed has none.
        confidence: Probability of each, by image, then by control; none where nobody answered a question
            that another had answered.
        disputed: Images with a question on which people do not agree.
    """

    answers: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    confidence: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    disputed: set[str] = field(default_factory=set)


def settle(answers: pa.Table, *, planned: Collection[str], min_votes_share: float) -> ImageAnswers:
    """Settle every question by the votes of those who answered it, weighed as in `dawid_skene`.

    A question to which nobody ever gave more than one choice has one right choice: it is settled as the
    category of an object is, by `votes.name_is_settled` and a probability above a half. Of any other question
    each choice is settled for itself, as an object is, by `votes.presence`. Who gave no choice to a question
    has no vote.

    Args:
        answers: `COLUMNS` of the `answers` table; drafts, skipped and replaced answers say nothing.
        planned: Images that count.
        min_votes_share: In [0.5, 1].
    """
    given: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(dict)
    for row in answers.select(list(COLUMNS)).to_pylist():
        if row["outcome"] == "submitted" and not row["superseded"] and row["image_id"] in planned:
            for control, chosen in row["choices"]:
                if chosen:
                    given[control][row["image_id"], row["annotator_id"]] = sorted(set(chosen))
    found = ImageAnswers()
    for control, by_person in sorted(given.items()):
        if max(map(len, by_person.values())) == 1:
            _one_choice(found, control, by_person, min_votes_share)
        else:
            _any_choices(found, control, by_person, min_votes_share)
        if len({image_id for image_id, _ in by_person}) == len(by_person):  # no two of one image
            for known in found.confidence.values():
                known.pop(control, None)
    return found


def _one_choice(found: ImageAnswers, control: str, given: Given, share: float) -> None:
    labels = sorted({chosen[0] for chosen in given.values()})
    images, probability = _weighed({key: chosen[0] for key, chosen in given.items()}, labels)
    for row, image_id in enumerate(images):
        best = labels[int(probability[row].argmax())]
        choices = [chosen[0] for (image, _), chosen in given.items() if image == image_id]
        sure = float(probability[row].max())
        settled = vote_rules.name_is_settled(choices.count(best), len(choices), min_votes_share=share)
        if settled and (sure > 0.5 or len(choices) == 1):
            found.answers[image_id][control] = [best]
            found.confidence[image_id][control] = sure
        else:
            found.disputed.add(image_id)


def _any_choices(found: ImageAnswers, control: str, given: Given, share: float) -> None:
    people: dict[str, list[Sequence[str]]] = defaultdict(list)
    for (image_id, _), chosen in given.items():
        people[image_id].append(chosen)
    sure: dict[str, float] = dict.fromkeys(people, 1.0)
    taken: dict[str, list[str]] = {image_id: [] for image_id in people}
    for choice in sorted({one for chosen in given.values() for one in chosen}):
        yes_no = {key: str(choice in chosen) for key, chosen in given.items()}
        images, probability = _weighed(yes_no, ["False", "True"])
        for row, image_id in enumerate(images):
            chosen_by = people[image_id]
            state = vote_rules.presence(
                sum(choice in one for one in chosen_by), len(chosen_by), min_votes_share=share
            )
            if state == "disputed":
                found.disputed.add(image_id)
                taken.pop(image_id, None)
                continue
            sure[image_id] *= float(probability[row, int(state == "object")])
            if state == "object" and image_id in taken:
                taken[image_id].append(choice)
    for image_id, choices in taken.items():
        found.answers[image_id][control] = choices
        found.confidence[image_id][control] = sure[image_id]


def _weighed(
    given: Mapping[tuple[str, str], str], labels: Sequence[str]
) -> tuple[list[str], dawid_skene.Values]:
    """Images, and the probability of each label for each."""
    images, people = sorted({key[0] for key in given}), sorted({key[1] for key in given})
    at, who = ({name: code for code, name in enumerate(names)} for names in (images, people))
    found = dawid_skene.Votes(
        items=np.array([at[image] for image, _ in given], dtype=np.intp),
        annotators=np.array([who[person] for _, person in given], dtype=np.intp),
        labels=np.array([labels.index(label) for label in given.values()], dtype=np.intp),
        n_items=len(images),
        n_annotators=len(people),
        n_labels=len(labels),
    )
    return images, dawid_skene.weigh(found).probability
