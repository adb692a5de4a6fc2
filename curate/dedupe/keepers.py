"""Which of two images is kept, and why, in words.

In this order: a person's `keep`; the original, by evidence from the pixels (`curate.dedupe.originals`); the
source that `dedupe.prefer` names earlier; more pixels; more bytes; the smaller image_id. Evidence is between
two images: in a group the one with the most wins less losses is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curate.dedupe.originals import WORDS

Rows = NDArray[np.int64]
LOST: Final = "lost"  # in place of a reason: a worker died over the pair, nobody knows
REASONS: Final = ("", LOST, *WORDS)


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Evidence between pairs of images; 18 bytes per pair.

    Attributes:
        first: (P,) int64, rows of the images.
        second: (P,) int64.
        winner: (P,) int8: 1 = the first is the original, -1 = the second, 0 = nothing tells them apart.
        reason: (P,) int8, index into `REASONS`.
    """

    first: Rows
    second: Rows
    winner: NDArray[np.int8]
    reason: NDArray[np.int8]

    @property
    def n_lost(self) -> int:
        """Over how many pairs a worker died."""
        return int((self.reason == REASONS.index(LOST)).sum())

    @classmethod
    def none(cls) -> Comparisons:
        """No pair was compared."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing.astype(np.int8), nothing.astype(np.int8))

    def renamed(self, names: Rows) -> Comparisons:
        """The comparisons with rows numbered anew, ordered by (first, second)."""
        a, b = names[self.first], names[self.second]
        first, second = np.minimum(a, b), np.maximum(a, b)
        order = np.lexsort((second, first))
        winner = np.where(a < b, self.winner, -self.winner).astype(np.int8)
        return Comparisons(first[order], second[order], winner[order], self.reason[order])

    def scores(self, count: int) -> NDArray[np.int64]:
        """(count,) wins less losses of each image."""
        found = np.zeros(count, np.int64)
        np.add.at(found, self.first, self.winner)
        np.subtract.at(found, self.second, self.winner)
        return found

    def between(self, one: int, other: int) -> str:
        """What speaks for `one`, in words; "" if nothing does or they were not compared. Needs `renamed`."""
        at = self._at(one, other)
        if at is None or self.winner[at] != (1 if one < other else -1):
            return ""
        return WORDS[REASONS[self.reason[at]]]

    def lost(self, one: int, other: int) -> bool:
        """Whether a worker died over the pair. Needs `renamed`."""
        at = self._at(one, other)
        return at is not None and REASONS[self.reason[at]] == LOST

    def _at(self, one: int, other: int) -> int | None:
        low, high = min(one, other), max(one, other)
        start, end = np.searchsorted(self.first, [low, low + 1])
        at = int(start + np.searchsorted(self.second[start:end], high))
        return at if at < end and self.second[at] == high else None


@dataclass(frozen=True, slots=True)
class KeeperColumns:
    """What the rule looks at besides, one row per image, in the order of image_id; 19 bytes per image.

    Attributes:
        keep: (N,) bool, a person's decision.
        preference: (N,) int16, place of the best of its sources in `dedupe.prefer`, or their number.
        width: (N,) int32, upright pixels.
        height: (N,) int32.
        sharpness: (N,) float32; decides nothing: noise and sharpening raise it.
        bytes: (N,) int64.
    """

    keep: NDArray[np.bool_]
    preference: NDArray[np.int16]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    sharpness: NDArray[np.float32]
    bytes: NDArray[np.int64]

    def take(self, rows: Rows) -> KeeperColumns:
        """The columns of some images."""
        return KeeperColumns(*(getattr(self, name)[rows] for name in self.__slots__))

    def best_first(self, comparisons: Comparisons) -> Rows:
        """(N,) int64: rows, the best image first; rows that nothing tells apart stay in their order."""
        pixels = self.width.astype(np.int64) * self.height
        scores = comparisons.scores(len(pixels))
        order: Rows = np.lexsort((-self.bytes, -pixels, self.preference, -scores, ~self.keep))
        return order

    def why(
        self,
        keeper: int,
        member: int,
        comparisons: Comparisons,
        scores: NDArray[np.int64],
        prefer: tuple[str, ...],
    ) -> str:
        """Why `keeper` is kept rather than `member`, such as "noise was added to the other".

        A keeper that lost to a member, or was not compared with it, won against most others of the group.

        Args:
            keeper: Row of an image.
            member: Of another.
            comparisons: Evidence, `renamed` to these rows.
            scores: (N,) of all images, from `comparisons.scores`.
            prefer: Names of sources.
        """
        if self.keep[keeper] and not self.keep[member]:
            return "a person decided to keep the keeper"
        if words := comparisons.between(keeper, member):
            return words
        outdone = comparisons.between(member, keeper) or scores[keeper] > scores[member]
        in_group = "is the better one in most pairs of its group"
        if comparisons.lost(keeper, member):
            kept = in_group if outdone else self._tie(keeper, member, prefer)
            return f"a worker died over which is the original, keeper {kept}"
        if outdone:
            return f"keeper {in_group}"
        return f"nothing tells which is the original, keeper {self._tie(keeper, member, prefer)}"

    def _tie(self, keeper: int, member: int, prefer: tuple[str, ...]) -> str:
        """What decides without evidence."""
        if self.preference[keeper] < self.preference[member]:
            return f"comes from the preferred source {prefer[self.preference[keeper]]}"
        sizes = [(int(self.width[row]), int(self.height[row])) for row in (keeper, member)]
        (width, height), (less_width, less_height) = sizes
        if width * height > less_width * less_height:
            return f"has more pixels ({width}x{height} over {less_width}x{less_height})"
        if self.bytes[keeper] > self.bytes[member]:
            return f"has more bytes ({self.bytes[keeper]} over {self.bytes[member]})"
        return "has the smaller image_id"


def finding(relation: str, hamming: int, correlation: float) -> str:
    """What was found between an image and its keeper, such as "mirrored, 4 bits and correlation 0.97"."""
    if relation == "decided":
        return "a person decided that it is the same"
    if relation == "semantic":
        return f"alike by meaning, cosine {correlation:.2f} with keeper"
    bits = f"{hamming} bit{'' if hamming == 1 else 's'} from keeper, correlation {correlation:.2f}"
    return f"{relation}, {bits}"
