"""Random samples that a growing data set leaves alone, and how large one must be.

Every image has a place in [0, 1) of its own for each purpose, by a hash of seed and image. A share takes all
images below it, so that it is decided for each image alone; a number takes the images of the lowest places.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from curate.errors import ParamsError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_BYTES = 8  # of the digest that make a place
_WORST = 0.5  # the share with the largest variance: what is assumed before anything was looked at


def hashes(keys: Iterable[str], purpose: str, seed: int) -> NDArray[np.uint64]:
    """64 bits for each key, as good as random: (N,) uint64. The same ever after."""
    prefix = hashlib.sha256(f"{purpose}\x1f{seed}\x1f".encode())

    def digest(key: str) -> bytes:
        own = prefix.copy()
        own.update(key.encode())
        return own.digest()[:_BYTES]

    return np.frombuffer(b"".join(map(digest, keys)), dtype=">u8").astype(np.uint64)


def places(keys: Iterable[str], purpose: str, seed: int) -> Floats:
    """A place in [0, 1) for each key: (N,) float64."""
    return np.asarray(hashes(keys, purpose, seed).astype(np.float64) / 2.0**64)


def size(stated: float, population: int, *, name: str = "size") -> int:
    """Number of images of a stated size: below 1 a share of the population, from 1 on a number.

    Raises:
        ParamsError: A number with a fraction.
    """
    if stated < 1:
        return math.ceil(stated * population - 1e-9)  # 0.1 of 30 is 3, whatever the last bit says
    if stated != int(stated):
        raise ParamsError(
            f"{name} = {stated:g} is refused: below 1 a share, from 1 on a whole number of images"
        )
    return min(int(stated), population)


def drawn(where: Floats, stated: float, *, name: str = "size") -> Flags:
    """Tell which images a sample of a stated size holds.

    Args:
        where: (N,) places by `places`.
        stated: A share holds every image whose place lies below it; about that share of them. A number
            holds exactly so many, or all.
        name: Of the parameter, for messages.

    Returns:
        (N,) flags. A simple random sample either way.
    """
    if stated < 1:
        return np.asarray(where < stated)
    chosen = np.zeros(len(where), dtype=np.bool_)
    chosen[np.argsort(where, kind="stable")[: size(stated, len(where), name=name)]] = True
    return chosen


def needed(population: int, margin: float, confidence: float) -> int:
    """Images of a random sample from which a share is known to within a margin of error.

    Args:
        population: Images that the sample is drawn from.
        margin: Half the width of the interval, such as 0.05 for plus or minus five points.
        confidence: That the interval holds the true share, in (0, 1).

    Returns:
        For a share of one half, which needs the most; at most the population.

    Source:
        Cochran, Sampling Techniques, 3rd edition (1977), section 4.4: n0 = z^2 p q / d^2, and with the finite
        population correction n = n0 / (1 + (n0 - 1) / N).
    """
    if population == 0:
        return 0
    first = (_quantile(confidence) / margin) ** 2 * _WORST * (1 - _WORST)
    return min(population, math.ceil(first / (1 + (first - 1) / population) - 1e-9))


def margin(sampled: int, population: int, confidence: float) -> float:
    """Margin of error that a random sample gives for a share of one half; nan without a sample.

    Source:
        Cochran (1977), section 3.2: the variance of a share is p q / n * (N - n) / (N - 1).
    """
    if sampled == 0:
        return math.nan
    left = (population - sampled) / (population - 1) if population > 1 else 0.0
    return _quantile(confidence) * math.sqrt(_WORST * (1 - _WORST) / sampled * left)


def _quantile(confidence: float) -> float:
    """Two-sided quantile of the normal distribution: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
