"""Photographs that scikit-image and scikit-learn carry in their wheels: the backgrounds of every scene."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]

MAX_SIDE = 760  # pixels; scenes are at most 640 wide, so that larger originals only cost memory


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph of an installed package.

    Attributes:
        name: short name, the key of `PHOTOGRAPHS`.
        package: the package whose folder holds the file.
        file: path inside that folder.
        license: SPDX id, or "public domain" where the package says that no restrictions are known.
        attribution: who made it, as the package's documentation says.
    """

    name: str
    package: str
    file: str
    license: str
    attribution: str


def _skimage(name: str, file: str, license: str, attribution: str) -> Photograph:
    return Photograph(name, "skimage", f"data/{file}", license, attribution)


def _sklearn(name: str, attribution: str) -> Photograph:
    return Photograph(name, "sklearn", f"datasets/images/{name}.jpg", "CC-BY-2.0", attribution)


# Left out on purpose: scikit-image's motorcycle pair and moon, whose terms its documentation does not state.
PHOTOGRAPHS: dict[str, Photograph] = {
    photograph.name: photograph
    for photograph in (
        _skimage("astronaut", "astronaut.png", "public domain", "NASA (Eileen Collins)"),
        _skimage("brick", "brick.png", "CC0-1.0", "CC0Textures"),
        _skimage("camera", "camera.png", "CC0-1.0", "Lav Varshney"),
        _skimage("chelsea", "chelsea.png", "CC0-1.0", "Stefan van der Walt"),
        _skimage("coffee", "coffee.png", "CC0-1.0", "Rachel Michetti, Pikolo Espresso Bar"),
        _skimage("coins", "coins.png", "public domain", "Brooklyn Museum"),
        _skimage("grass", "grass.png", "CC0-1.0", "linolafett"),
        _skimage("gravel", "gravel.png", "CC0-1.0", "CC0Textures"),
        _skimage("hubble", "hubble_deep_field.jpg", "public domain", "NASA, HubbleSite"),
        _skimage("ihc", "ihc.png", "public domain", "Center for Microscopy And Molecular Imaging (CMMI)"),
        _skimage("retina", "retina.jpg", "CC0-1.0", "Mikael Häggström"),
        _skimage("rocket", "rocket.jpg", "public domain", "SpaceX"),
        _sklearn("china", "danielbuechele (flickr.com/photos/danielbuechele/6061409035)"),
        _sklearn("flower", "vultilion (flickr.com/photos/vultilion/6056698931)"),
    )
}


def photograph_path(photograph: Photograph) -> Path:
    """Path of the file in the installed package, which is not imported."""
    spec = importlib.util.find_spec(photograph.package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"the demo's photographs need the package {photograph.package}: pip install 'curate-vision[dev]'"
        )
    return Path(spec.origin).parent / photograph.file


@functools.cache
def load_photograph(name: str) -> UInt8Array:
    """Read one photograph.

    Args:
        name: a key of `PHOTOGRAPHS`.

    Returns:
        (H, W, 3) RGB pixels, read-only, the longer side at most `MAX_SIDE`.
    """
    path = photograph_path(PHOTOGRAPHS[name])
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise FileNotFoundError(f"cannot read the photograph {path.name} of {PHOTOGRAPHS[name].package}")
    height, width = bgr.shape[:2]
    scale = MAX_SIDE / max(height, width)
    if scale < 1:
        bgr = cv2.resize(bgr, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    rgb = np.ascontiguousarray(bgr[:, :, ::-1], dtype=np.uint8)
    rgb.setflags(write=False)  # cached and shared: nobody may draw on it
    return rgb
