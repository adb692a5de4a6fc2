"""What people agree on of each object's attributes, such as whether it is occluded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from curate.agreement import settled_choices
from curate.agreement.by_annotator import Attributes
from curate.agreement.clusters import Cluster
from curate.agreement.settled_choices import SettledChoices


def settle(
    attributes: Mapping[int, Attributes],
    clusters: Sequence[Cluster],
    owner: Sequence[str],
    *,
    min_votes_share: float,
) -> SettledChoices:
    """Settle every question about every joint object by those who drew it, as `settled_choices.settle` does.

    Args:
        attributes: By index of the drawn object; without those of which nothing was chosen.
        clusters: Of all objects.
        owner: Who drew each object.
        min_votes_share: In [0.5, 1].

    Returns:
        Items are the clusters' numbers, as text.
    """
    given: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(dict)
    if attributes:
        for number, group in enumerate(clusters):
            for member in group.members:
                for question, chosen in attributes.get(member, ()):
                    given[question][str(number), owner[member]] = sorted(set(chosen))
    return settled_choices.settle(given, min_votes_share=min_votes_share)


def slices(attributes: Attributes) -> list[str]:
    """What the slices are called that an object belongs to.

    Examples:
        >>> slices([("occluded", ["yes"]), ("worn", ["dirty", "bent"])])
        ['occluded=yes', 'worn=bent', 'worn=dirty']
    """
    return sorted(f"{question}={one}" for question, chosen in attributes for one in chosen)
