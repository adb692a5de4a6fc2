"""What the choice rests on besides suggestions: vectors, examples, an earlier round, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from curate.qa.choice.greedy import Flags
from curate.records import FloatArray


def _no_vectors() -> FloatArray:
    return np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Evidence:
    """What the criteria know of N kept images.

    Attributes:
        shown: (N,) whether it was put before people because it was chosen, in any plan.
        gone: Images that were put before people because they were chosen, and are kept no more.
        with_vector: (N,) whether it has a vector; None = no criterion needs any.
        vectors: (V, D) of unit length, of those that have one.
        positive: (P, D) vectors of examples of what is wanted.
        negative: (M, D) vectors of examples of what is not.
        example_scenes: (V,) whether it is an example, or shows the scene of one; None = none is.
        disagreement: By category's name, in [0, 1]; empty = there was no earlier round.
        earlier_words: `detail` of images that the earlier plan chose, by image_id.
    """

    shown: Flags
    gone: int = 0
    with_vector: Flags | None = None
    vectors: FloatArray = field(default_factory=_no_vectors)
    positive: FloatArray = field(default_factory=_no_vectors)
    negative: FloatArray = field(default_factory=_no_vectors)
    example_scenes: Flags | None = None
    disagreement: Mapping[str, float] = field(default_factory=dict)
    earlier_words: Mapping[str, str] = field(default_factory=dict)
