"""Files of the pictures that people compare: nothing in a name or a file tells which model made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from curate import tables
from curate.images.load_upright import load_upright
from curate.ports.comparison import ComparisonDraft
from curate.records import UInt8Image, derived_id
from curate.restoration import degradation
from curate.restoration.comparison_plan import CLEAN, SPOILT, Comparison

SHOWN_PX: Final = 640  # of a side, from the middle: two fit a page at 100%, where differences are seen
_SPOILT_FACTOR: Final = 6  # times fewer pixels per side
_SPOILT_NOISE: Final = 25.0  # standard deviation, of 255
_FORM: Final = 1  # raise it when people are shown something else or asked another question: votes start anew


class ComparisonPictures:
    """Writes the pictures of comparisons, each once, and makes their tasks."""

    def __init__(
        self,
        folder: Path,
        results: Mapping[tuple[str, str], Path],
        clean: Mapping[str, Path],
        *,
        raters: int,
    ) -> None:
        """Set up for the results of some models.

        Args:
            folder: Of the pictures.
            results: File by pair and model.
            clean: File of the clean image, by pair.
            raters: People wanted for each comparison.
        """
        self._folder, self._results, self._clean = folder, results, clean
        self._raters = raters
        self._written: dict[tuple[str, str], Path] = {}

    def draft(self, one: Comparison) -> ComparisonDraft:
        """The task of a comparison, with its pictures on disk.

        The key is made of the pictures' content: where a model makes another picture, people are asked again.

        Raises:
            InputError: A file has disappeared or is damaged.
            StorageError: The disk is full or refuses.
        """
        left, right = (self._picture(one.pair_id, side) for side in (one.left, one.right))
        key = derived_id("comparison", _FORM, one.comparison_id, left.stem, right.stem)[:32]
        return ComparisonDraft(key, left.as_posix(), right.as_posix(), self._raters)

    def _picture(self, pair: str, model: str) -> Path:
        place = (pair, model)
        if place not in self._written:
            self._written[place] = self._write(self._shown(pair, model))
        return self._written[place]

    def _shown(self, pair: str, model: str) -> UInt8Image:
        if model not in {CLEAN, SPOILT}:
            return middle(load_upright(self._results[pair, model]))
        clean = middle(load_upright(self._clean[pair]))
        return clean if model == CLEAN else spoilt(clean, seed=pair)

    def _write(self, pixels: UInt8Image) -> Path:
        """Pixels alone, without any text: a result's own file says from what it was made.

        The name is of the pixels too: another version of the PNG library must not make votes void.
        """
        content = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes())
        path = self._folder / f"{content.hexdigest()[:32]}.png"
        if not path.exists():
            with tables.replacing(path) as partial:
                Image.fromarray(pixels).save(partial, "PNG", compress_level=4)
        return path


def middle(pixels: UInt8Image) -> UInt8Image:
    """The middle of an image (H, W, 3), at most `SHOWN_PX` pixels per side."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - SHOWN_PX) // 2, max(0, width - SHOWN_PX) // 2
    return np.ascontiguousarray(pixels[top : top + SHOWN_PX, left : left + SHOWN_PX])


def spoilt(pixels: UInt8Image, *, seed: str) -> UInt8Image:
    """Blur an image (H, W, 3) and add noise, so that nobody who looks takes it for the better one.

    Args:
        pixels: The clean image.
        seed: Of the noise.
    """
    height, width = pixels.shape[:2]
    small = (max(1, width // _SPOILT_FACTOR), max(1, height // _SPOILT_FACTOR))
    blurred = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    large = np.asarray(blurred.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    rng = degradation.generator("spoilt", seed)
    noisy = large + rng.normal(0, _SPOILT_NOISE, large.shape).astype(np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
