"""How probably an object is there, from who drew it and who looked and did not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
_ROUNDS, _TOLERANCE = 500, 1e-8
_FIRST_SENSITIVITY = 0.9  # before anything is known
_PRIOR_OBJECTS, _PRIOR_IMAGES = 5.0, 5.0  # that each person is given of the average person's kind


@dataclass(frozen=True, slots=True)
class Presence:
    """What was estimated of A annotators.

    Attributes:
        sensitivity: (A,) share of the objects of an image that the person draws, in (0, 1).
        spurious: (A,) objects per image that the person draws and that are not there.
        objects: Objects per image, on average.
    """

    sensitivity: Values
    spurious: Values
    objects: float

    def probability(self, drew: Flags, looked: Flags) -> Values:
        """Probability that each object is there.

        Args:
            drew: (C, A) who drew object c.
            looked: (C, A) who looked at its image.

        Returns:
            (C,) in [0, 1]; 1 where two or more drew it: in this model nobody shares an error.
        """
        real = self.objects * np.where(
            drew, self.sensitivity, np.where(looked, 1 - self.sensitivity, 1.0)
        ).prod(axis=1)
        alone = drew.sum(axis=1) == 1
        made_up = np.where(drew, self.spurious, 0.0).sum(axis=1)
        return np.where(alone, real / np.maximum(real + made_up, 1e-300), 1.0)

    def unseen(self, looked: Flags) -> Values:
        """Expected objects (I,) of images that none of those who looked (I, A) drew."""
        return np.asarray(self.objects * np.where(looked, 1 - self.sensitivity, 1.0).prod(axis=1))


def estimate(drew: Flags, looked: Flags, images: Flags) -> Presence:
    """Estimate what people miss and make up, by expectation and maximisation.

    An image has a Poisson number of objects; each person draws each of them with a probability of their own,
    and a Poisson number of things that are not there, which nobody else draws. Only images that several
    looked at say anything. With two people in all nothing tells who of them is right: an object of one stays
    near a half. Errors that two people share, such as a model's suggestion that both took over, cannot be
    seen.

    Args:
        drew: (C, A) who drew object c of those images.
        looked: (C, A) who looked at its image.
        images: (I, A) who looked at image i.

    Source:
        The mixture that capture and recapture methods rest on (Otis et al., Statistical inference from
        capture data on closed animal populations, 1978, model Mt), with captures that are none.
    """
    (drew, looked), times = _alike(drew, looked)
    (images,), seen = _alike(images)
    return estimate_counted(drew, looked, times, images, seen)


def estimate_counted(drew: Flags, looked: Flags, times: Values, images: Flags, seen: Values) -> Presence:
    """Estimate the model where objects and images occur several times; else as `estimate`.

    Args:
        drew: (C, A) who drew objects of kind c.
        looked: (C, A) who looked at their images.
        times: (C,) how many such objects there are.
        images: (I, A) who looked at images of kind i.
        seen: (I,) how many such images there are.
    """
    n = images.shape[1]
    model = Presence(np.full(n, _FIRST_SENSITIVITY), np.zeros(n), 0.0)
    there = np.where(drew.sum(axis=1) == 1, 0.5, 1.0)
    for _ in range(_ROUNDS):
        model = _from(there, times, drew, looked, _Images(images, seen, model.unseen(images) * seen))
        before, there = there, model.probability(drew, looked)
        if np.abs(before - there).max(initial=0.0) < _TOLERANCE:
            break
    return model


def _alike(*flags: Flags) -> tuple[list[Flags], Values]:
    """The distinct rows of some tables side by side, and how often each occurs: there are few."""
    whole = np.concatenate(flags, axis=1)
    packed = np.packbits(whole, axis=1)
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    return [table[first] for table in flags], counts.astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Images:
    """Who looked at images (I, A) that are alike, how many there are (I,), and objects nobody drew there."""

    looked: Flags
    times: Values
    unseen: Values


def _from(there: Values, times: Values, drew: Flags, looked: Flags, images: _Images) -> Presence:
    """The parameters that fit those probabilities best, of objects that occur so many times."""
    known = (there * times) @ looked + images.unseen @ images.looked  # objects of the images of each person
    found = (there * times) @ drew
    made_up = ((1 - there) * times) @ drew
    looks = images.times @ images.looked
    usual = (found.sum() + _FIRST_SENSITIVITY) / (known.sum() + 1.0)
    usual_made_up = made_up.sum() / max(1, looks.sum())
    return Presence(
        sensitivity=(found + _PRIOR_OBJECTS * usual) / (known + _PRIOR_OBJECTS),
        spurious=(made_up + _PRIOR_IMAGES * usual_made_up) / (looks + _PRIOR_IMAGES),
        objects=float((there @ times + images.unseen.sum()) / max(1.0, images.times.sum())),
    )
