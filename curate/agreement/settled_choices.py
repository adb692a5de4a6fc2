"""What people agree on where they chose among options: answers about images, attributes of objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from curate.agreement import dawid_skene, vote_rules

Given = Mapping[tuple[str, str], Sequence[str]]  # (item, annotator) to choices, sorted, each once


@dataclass(slots=True)
class SettledChoices:
    """Answers to questions that people settled on.

    Attributes:
        answers: Choices by item, then by question; a question that is disputed has none.
        confidence: Probability of each, by item, then by question; none where nobody answered a question
            that another had answered.
        disputed: Questions on which people do not agree, by item.
    """

    answers: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    confidence: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    disputed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def settle(given: Mapping[str, Given], *, min_votes_share: float) -> SettledChoices:
    """Settle every question by the votes of those who answered it, weighed as in `dawid_skene`.

    A question to which nobody ever gave more than one choice has one right choice: it is settled as the
    category of an object is, by `vote_rules.name_is_settled` and a probability above a half. Of any other
    question each choice is settled for itself, as an object is, by `vote_rules.presence`. Who gave no choice
    to a question has no vote.

    Args:
        given: By question, what each person chose of each item; nobody's choices are empty.
        min_votes_share: In [0.5, 1].

    Examples:
        >>> light = {("one", "ann"): ["night"], ("one", "ben"): ["night"], ("one", "cem"): ["day"]}
        >>> settle({"light": light}, min_votes_share=0.5).answers["one"]
        {'light': ['night']}
    """
    found = SettledChoices()
    for question, by_person in sorted(given.items()):
        if max(map(len, by_person.values())) == 1:
            _one_choice(found, question, by_person, min_votes_share)
        else:
            _any_choices(found, question, by_person, min_votes_share)
        if len({item for item, _ in by_person}) == len(by_person):  # no two of one item
            for known in found.confidence.values():
                known.pop(question, None)
    return found


def _one_choice(found: SettledChoices, question: str, given: Given, share: float) -> None:
    labels = sorted({chosen[0] for chosen in given.values()})
    items, probability = _weighed({key: chosen[0] for key, chosen in given.items()}, labels)
    votes_of: dict[str, list[str]] = defaultdict(list)
    for (item, _), chosen in given.items():
        votes_of[item].append(chosen[0])
    for row, item in enumerate(items):
        best = labels[int(probability[row].argmax())]
        votes, sure = votes_of[item], float(probability[row].max())
        settled = vote_rules.name_is_settled(votes.count(best), len(votes), min_votes_share=share)
        if settled and (sure > 0.5 or len(votes) == 1):
            found.answers[item][question] = [best]
            found.confidence[item][question] = sure
        else:
            found.disputed[item].append(question)


def _any_choices(found: SettledChoices, question: str, given: Given, share: float) -> None:
    people: dict[str, list[Sequence[str]]] = defaultdict(list)
    for (item, _), chosen in given.items():
        people[item].append(chosen)
    sure: dict[str, float] = dict.fromkeys(people, 1.0)
    taken: dict[str, list[str]] = {item: [] for item in people}
    for choice in sorted({one for chosen in given.values() for one in chosen}):
        yes_no = {key: str(choice in chosen) for key, chosen in given.items()}
        items, probability = _weighed(yes_no, ["False", "True"])
        for row, item in enumerate(items):
            votes = people[item]
            state = vote_rules.presence(
                sum(choice in one for one in votes), len(votes), min_votes_share=share
            )
            if state == "disputed":
                taken.pop(item, None)
                continue
            sure[item] *= float(probability[row, int(state == "object")])
            if state == "object" and item in taken:
                taken[item].append(choice)
    for item in people:
        if item in taken:
            found.answers[item][question] = taken[item]
            found.confidence[item][question] = sure[item]
        else:
            found.disputed[item].append(question)


def _weighed(
    given: Mapping[tuple[str, str], str], labels: Sequence[str]
) -> tuple[list[str], dawid_skene.Values]:
    """Items, and the probability of each label for each."""
    items, people = sorted({key[0] for key in given}), sorted({key[1] for key in given})
    at, who, which = ({name: code for code, name in enumerate(names)} for names in (items, people, labels))
    found = dawid_skene.Votes(
        items=np.array([at[item] for item, _ in given], dtype=np.intp),
        annotators=np.array([who[person] for _, person in given], dtype=np.intp),
        labels=np.array([which[label] for label in given.values()], dtype=np.intp),
        n_items=len(items),
        n_annotators=len(people),
        n_labels=len(labels),
    )
    return items, dawid_skene.weigh(found).probability
