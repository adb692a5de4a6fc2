"""Named sums over images, resampled together: what every figure with an interval is computed from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from curate.intervals import Figure, Scale, resampled_sums, t_interval

Values = NDArray[np.float64]
Name = Hashable
Get = Callable[[Name], Values]


class ImageSums:
    """Collects what each image contributes to each named sum.

    Examples:
        >>> sums = ImageSums(["a", "b", "c"])
        >>> sums.add("hits", ["a", "b", "c"], [1, 0, 1])
        >>> sums.add("all", ["a", "b", "c"], [1, 1, 1])
        >>> figure = sums.resampled(200, seed=0).ratio("hits", "all", nothing="nobody looked")
        >>> round(figure.value, 3), figure.n, figure.low < figure.value < figure.high
        (0.667, 3, True)
    """

    def __init__(self, images: Sequence[str]) -> None:
        self._row = {image_id: row for row, image_id in enumerate(images)}
        self._column: dict[Name, int] = {}
        self._cells: list[tuple[NDArray[np.intp], NDArray[np.intp], Values]] = []
        self._single: dict[Name, tuple[list[str], list[float]]] = {}

    def add(self, name: Name, images: Sequence[str], values: ArrayLike) -> None:
        """Add values, one an entry of `images`, to a sum; NaN counts as nothing.

        Args:
            name: Of the sum.
            images: N ids; an image may occur several times.
            values: (N,).
        """
        column = self._column.setdefault(name, len(self._column))
        rows = np.array([self._row[image_id] for image_id in images], dtype=np.intp)
        cells = np.nan_to_num(np.asarray(values, dtype=np.float64))
        self._cells.append((rows, np.full(len(rows), column, dtype=np.intp), cells))

    def add_one(self, name: Name, image_id: str, value: float) -> None:
        """Add one value to a sum."""
        images, values = self._single.setdefault(name, ([], []))
        images.append(image_id)
        values.append(value)

    def resampled(self, resamples: int, *, seed: int) -> Resampled:
        """The sums of all images and of resamples of them."""
        for name, (images, single) in self._single.items():
            self.add(name, images, single)
        self._single.clear()
        shape = (len(self._row), max(1, len(self._column)))
        parts = list(zip(*self._cells, strict=True)) or [(np.zeros(0, np.intp),)] * 2 + [(np.zeros(0),)]
        rows, columns, values = (np.concatenate(part) for part in parts)
        table = csr_array(coo_array((values, (rows, columns)), shape=shape))
        table.sum_duplicates()
        total = np.asarray(table.sum(axis=0)).reshape(1, -1)
        sums = np.concatenate([total, resampled_sums(table, resamples=resamples, seed=seed)])
        return Resampled(self._column, sums, np.bincount(table.nonzero()[1], minlength=shape[1]))


class Resampled:
    """Sums by name; the first value is that of all images, the others are those of the resamples."""

    def __init__(self, column: dict[Name, int], sums: Values, images: NDArray[np.intp]) -> None:
        self._column = column
        self._sums = sums
        self._images = images

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
            return Figure(value, *ends, n)
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
