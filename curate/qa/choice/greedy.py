"""The greedy choice: one image after the other, each time the one for which the criteria say most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Criterion(Protocol):
    """What speaks for an image, given what was chosen before it."""

    def values(self, free: Flags) -> Floats:
        """(N,) in [0, 1] for images that can still be chosen; whatever for the others."""

    def take(self, image: int, free: Flags) -> None:
        """An image was chosen; `free` no longer holds it."""

    def say(self, image: int) -> str:
        """Say in words why the image is taken; asked just before it is."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A criterion that does not depend on what was chosen before.

    Attributes:
        value: (N,) in [0, 1].
        words: Why an image, by its place.
    """

    value: Floats
    words: Callable[[int], str]

    def values(self, free: Flags) -> Floats:
        """Values of the images, which do not depend on what was chosen."""
        del free
        return self.value

    def take(self, image: int, free: Flags) -> None:
        """Take an image, which changes no value."""

    def say(self, image: int) -> str:
        """Say of an image what `words` says."""
        return self.words(image)


@dataclass(frozen=True, slots=True)
class Pick:
    """Image that was chosen, and what spoke for it.

    Attributes:
        image: Its place.
        shares: Share of each criterion in what spoke for it, largest first; they sum to 1.
        words: What each of them says.
    """

    image: int
    shares: Mapping[str, float]
    words: Mapping[str, str]

    def why(self) -> str:
        """Say why: "61% diversity (cosine 0.42 to the nearest ...), 39% uncertainty (...)"."""
        return ", ".join(
            f"{share:.0%} {name} ({self.words[name]})"
            for name, share in self.shares.items()
            if share >= 0.005
        )


def choose(
    criteria: Mapping[str, tuple[float, Criterion]], candidates: Flags, number: int, ties: Floats
) -> list[Pick]:
    """Choose images by the largest weighted sum of what the criteria say, one after the other.

    Args:
        criteria: Weight (more than 0) and criterion by name.
        candidates: (N,) what may be chosen.
        number: How many at most; fewer where nothing speaks for any of those that are left.
        ties: (N,) in [0, 1); of equals the one with the lowest is chosen.

    Returns:
        In the order in which they were chosen. No image twice.

    Source:
        Greedy choice under several objectives, as in Nemhauser, Wolsey and Fisher, An analysis of
        approximations for maximizing submodular set functions (1978); with diversity alone it is the
        farthest-first traversal of Gonzalez (1985), with typicality alone TypiClust.

    Example:
        >>> told = Fixed(np.array([0.2, 0.9, 0.0]), lambda image: f"image {image}")
        >>> [pick.image for pick in choose({"doubt": (1.0, told)}, np.ones(3, bool), 3, np.zeros(3))]
        [1, 0]
    """
    order = np.argsort(ties, kind="stable")
    free = candidates.copy()
    picks: list[Pick] = []
    while len(picks) < number and free.any():
        scores = {name: weight * one.values(free) for name, (weight, one) in criteria.items()}
        total = np.where(free, np.sum(list(scores.values()), axis=0), -1.0)
        image = int(order[np.argmax(total[order])])
        if total[image] <= 0:
            break
        parts = {
            name: float(value[image] / total[image]) for name, value in scores.items() if value[image] > 0
        }
        shares = dict(sorted(parts.items(), key=lambda part: -part[1]))
        picks.append(Pick(image, shares, {name: criteria[name][1].say(image) for name in shares}))
        free[image] = False
        for _, one in criteria.values():
            one.take(image, free)
    return picks
