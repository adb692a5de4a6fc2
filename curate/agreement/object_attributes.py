"""What people agree on of each object's attributes, such as whether it is occluded."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa

from curate import schema
from curate.agreement import settled_choices
from curate.agreement.by_annotator import Answers, Attributes
from curate.agreement.clusters import Clusters
from curate.agreement.settled_choices import SettledChoices

COLUMNS = ("attributes", "attributes_confidence", "disputed_attributes")


Given = dict[str, dict[tuple[str, str], list[str]]]  # question to (number of the cluster, person) to choices


def given(answers: Answers, clusters: Clusters) -> Given:
    """What people chose of each joint object, as `settled_choices.settle` takes it.

    Args:
        answers: What people drew.
        clusters: Of all objects.
    """
    found: Given = defaultdict(dict)
    number = np.empty(len(clusters.members), dtype=np.intp)
    number[clusters.members] = clusters.number
    for index, attributes in answers.attributes.items():
        for question, chosen in attributes:
            if not chosen:
                continue  # who chose nothing has no vote
            key = str(number[index]), answers.people[answers.owner[index]]
            found[question][key] = sorted(set(chosen))
    return found


def settle(chosen: Given, *, min_votes_share: float) -> SettledChoices | None:
    """Settle every question about every joint object by those who drew it, as `settled_choices.settle` does.

    Args:
        chosen: What people chose of all joint objects.
        min_votes_share: In [0.5, 1].

    Returns:
        Items are the clusters' numbers, as text; None where nobody chose anything.
    """
    return settled_choices.settle(chosen, min_votes_share=min_votes_share) if chosen else None


def columns(settled: SettledChoices | None, n_clusters: int) -> dict[str, pa.Array]:
    """Columns of `consensus_objects`: what is settled of each cluster, how sure that is, and what is not."""
    types = {name: schema.CONSENSUS_OBJECTS.arrow.field(name).type for name in COLUMNS}
    if settled is None:
        return {name: pa.nulls(n_clusters, kind) for name, kind in types.items()}
    keys = [str(number) for number in range(n_clusters)]
    rows = (
        [sorted(settled.answers.get(key, {}).items()) for key in keys],
        [sorted(settled.confidence.get(key, {}).items()) for key in keys],
        [settled.disputed.get(key, []) for key in keys],
    )
    return {name: pa.array(row, kind) for (name, kind), row in zip(types.items(), rows, strict=True)}


def slices(attributes: Attributes) -> list[str]:
    """What the slices are called that an object belongs to.

    Examples:
        >>> slices([("occluded", ["yes"]), ("worn", ["dirty", "bent"])])
        ['occluded=yes', 'worn=bent', 'worn=dirty']
    """
    return sorted(f"{question}={one}" for question, chosen in attributes for one in chosen)
