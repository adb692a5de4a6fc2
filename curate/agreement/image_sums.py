"""Named sums over images, resampled together: what every figure with an interval is computed from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.geometry.matching import Indices
from curate.intervals import Figure, Scale, resampled_sums, t_interval

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
Name = Hashable
_MAX_GROUPS = 2048  # of images that are drawn together
_MAX_CELLS = 1 << 26  # of a table that is made whole
_COARSE, _FINE = 2.0**20, 2.0**58  # parts of 1 that a value is counted in


class ImageSums:
    """Collects what each image contributes to each named sum.

    Of many images, some thousands of groups of them are drawn instead of single ones, each image in one of
    them by lot: the spread of a sum is the same, and time and memory no longer go with the images.

    Sums are exact: those of parts of the images, joined in any order, are those of all at once, bit for bit.
    A value is taken as two whole numbers, of 2^-20 and of 2^-58, and what lies beyond is left out.

    Source:
        Wolter, Introduction to Variance Estimation (2007), chapter 2: the method of random groups.

    Examples:
        >>> sums = ImageSums(3)
        >>> sums.add("hits", [0, 1, 2], [1, 0, 1])
        >>> sums.add("all", [0, 1, 2], [1, 1, 1])
        >>> figure = sums.resampled(200, seed=0).ratio("hits", "all", nothing="nobody looked")
        >>> round(figure.value, 3), figure.n, figure.low < figure.value < figure.high
        (0.667, 3, True)
    """

    def __init__(self, images: int, *, first: int = 0, of: int | None = None) -> None:
        """Begin without sums.

        Args:
            images: How many are added here; their numbers begin with 0.
            first: Number of the first of them among all.
            of: How many there are in all; None = these.
        """
        whole = images if of is None else of
        self._n_images = images
        self._n_groups = min(whole, _MAX_GROUPS)
        order = np.arange(whole) if whole <= _MAX_GROUPS else np.random.default_rng(0).permutation(whole)
        self._group = np.asarray(order % max(1, self._n_groups), dtype=np.intp)[first : first + images]
        self._coarse: dict[Name, Counts] = {}
        self._fine: dict[Name, Counts] = {}
        self._seen: dict[Name, int] = {}

    def add(self, name: Name, images: ArrayLike, values: ArrayLike) -> None:
        """Add values, one per entry of `images`, to a sum of that name; NaN counts as nothing.

        Args:
            name: Of the sum.
            images: (N,) numbers of images; one may occur several times.
            values: (N,) at least 0.
        """
        numbers = np.asarray(images, dtype=np.intp)
        self.add_each([name], numbers, np.zeros(len(numbers), dtype=np.intp), values)

    def add_each(self, names: Sequence[Name], images: Indices, which: Indices, values: ArrayLike) -> None:
        """Add values to several sums at once; NaN counts as nothing.

        What was added to them before stays, and must be of other images.

        Args:
            names: Of the sums.
            images: (N,) numbers of images.
            which: (N,) index into `names` of each value.
            values: (N,) at least 0.
        """
        cells = np.nan_to_num(np.asarray(values, dtype=np.float64))
        used = np.flatnonzero(cells)
        images, which, cells = images[used], which[used], cells[used]
        if len(names) * self._n_groups > _MAX_CELLS:  # most of them have nothing
            there, which = np.unique(which, return_inverse=True)
            names = [names[place] for place in there.tolist()]
        wide = len(names)
        seen = self._distinct(images, which, wide)
        coarse = np.rint(cells * _COARSE)
        rest = np.rint((cells - coarse / _COARSE) * _FINE)
        keys = which * self._n_groups + self._group[images]
        for parts, sums in ((coarse, self._coarse), (rest, self._fine)):
            if parts.any():
                table = np.bincount(keys, parts, minlength=self._n_groups * wide).astype(np.int64)
                _join(sums, zip(names, table.reshape(wide, -1), strict=True))
        for name, images_of in zip(names, seen.tolist(), strict=True):
            if images_of:
                self._seen[name] = self._seen.get(name, 0) + images_of

    def _distinct(self, images: Indices, which: Indices, wide: int) -> Indices:
        """(wide,) how many images there are of each."""
        keys = images * wide + which
        if wide * self._n_images > _MAX_CELLS:
            return np.bincount(np.unique(keys) % wide, minlength=wide)
        seen = np.zeros(self._n_images * wide, dtype=np.bool_)
        seen[keys] = True
        return np.asarray(seen.reshape(self._n_images, wide).sum(axis=0), dtype=np.intp)

    def join(self, other: ImageSums) -> None:
        """Add the sums of other images of the same whole."""
        _join(self._coarse, other._coarse.items())
        _join(self._fine, other._fine.items())
        for name, images in other._seen.items():
            self._seen[name] = self._seen.get(name, 0) + images

    def resampled(self, resamples: int, *, seed: int) -> Resampled:
        """The sums of all images and of resamples of them."""
        names = sorted(self._seen, key=repr)
        table = np.zeros((self._n_groups, len(names)))
        for sums, unit in ((self._coarse, _COARSE), (self._fine, _FINE)):
            for place, name in enumerate(names):
                if name in sums:
                    table[:, place] += sums[name] / unit
        spread = resampled_sums(table, resamples=resamples, seed=seed)
        sums_of_all = np.concatenate([table.sum(axis=0, keepdims=True), spread])
        images = np.array([self._seen[name] for name in names], dtype=np.intp)
        return Resampled({name: place for place, name in enumerate(names)}, sums_of_all, images)


def _join(sums: dict[Name, Counts], more: Iterable[tuple[Name, Counts]]) -> None:
    for name, column in more:
        if name in sums:
            sums[name] = sums[name] + column
        elif column.any():
            sums[name] = column


class Resampled:
    """Sums by name; the first value is that of all images, the others are those of the resamples."""

    def __init__(self, column: dict[Name, int], sums: Values, images: Indices) -> None:
        self._column = column
        self._sums = sums
        self._images = images

    def names(self) -> list[Name]:
        """Names of the sums to which anything was added."""
        return list(self._column)

    def of(self, name: Name) -> Values:
        """(1 + R,) values of a sum; zeros where nothing was added to it."""
        column = self._column.get(name)
        return np.zeros(len(self._sums)) if column is None else self._sums[:, column]

    def many(self, names: Sequence[Name]) -> Values:
        """(1 + R, N) values of several sums."""
        return np.stack([self.of(name) for name in names], axis=1) if names else self._sums[:, :0]

    def count(self, name: Name) -> int:
        """The sum over all images, as a number of things."""
        return round(float(self.of(name)[0]))

    def figure(self, values: Values, *, n: int, over: Name, nothing: str, scale: Scale = "share") -> Figure:
        """A figure with its interval.

        Args:
            values: (1 + R,) of all images, and of the resamples; NaN where undefined.
            n: How much it rests on.
            over: Sum whose images are those that say anything.
            nothing: Why the figure is undefined, where it is.
            scale: Of the interval (`intervals.t_interval`).
        """
        value = float(values[0])
        if np.isnan(value):
            return Figure(None, None, None, n, nothing)
        column = self._column.get(over)
        images = 0 if column is None else int(self._images[column])
        ends = t_interval(value, values[1:], images, scale=scale)
        if ends is not None:
            defined = values[1:][~np.isnan(values[1:])]
            se = float(np.sqrt(defined.var(ddof=1) * images / (images - 1)))  # a bootstrap's is too small
            return Figure(value, *ends, n, se=se)
        why = "no resamples" if len(values) == 1 else "fewer than two images"
        if images > 1 and len(values) > 1:
            why = "undefined in too many resamples of the images"
        return Figure(value, None, None, n, why)

    def ratio(self, part: Name, whole: Name, *, nothing: str, scale: Scale = "share") -> Figure:
        """One sum over another; `nothing` says why it is undefined where the other is 0."""
        values = divided(self.of(part), self.of(whole))
        return self.figure(values, n=self.count(whole), over=whole, nothing=nothing, scale=scale)


def divided(part: Values, whole: Values) -> Values:
    """Element by element; NaN where `whole` is not positive."""
    out = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=out, where=whole > 0))
