"""The augmentation pipeline of a release: read from YAML, held against a list, applied by seed.

The file has the form of `albumentations.to_dict`. Listed are transforms that take and give 8-bit RGB, carry
boxes and masks, read no other file and draw from the pipeline's own generator: the seed alone says what they
do. What hides objects and leaves their labels (dropouts, mixing of images) is not listed.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from curate.errors import ReleaseError
from curate.extras import require
from curate.geometry import masks
from curate.records import BoolArray, UInt8Image

NAME: Final = "augmentation.yaml"
_CHOOSING: Final = frozenset({"OneOf", "OneOrOther", "RandomOrder", "Sequential", "SomeOf"})
# fmt: off
ALLOWED: Final = frozenset(
    {
        # the picture moves, and boxes and masks with it
        "Affine", "AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop", "CenterCrop", "Crop", "CropAndPad",
        "D4", "ElasticTransform", "GridDistortion", "HorizontalFlip", "LongestMaxSize", "OpticalDistortion",
        "Pad", "PadIfNeeded", "Perspective", "RandomCrop", "RandomCropFromBorders", "RandomResizedCrop",
        "RandomRotate90", "RandomScale", "RandomSizedBBoxSafeCrop", "RandomSizedCrop", "Resize", "Rotate",
        "SafeRotate", "SmallestMaxSize", "ThinPlateSpline", "Transpose", "VerticalFlip",
        # pixels alone change
        "AdditiveNoise", "AdvancedBlur", "AutoContrast", "Blur", "CLAHE", "ChannelShuffle",
        "ChromaticAberration", "ColorJitter", "Defocus", "Downscale", "Emboss", "Equalize", "GaussNoise",
        "GaussianBlur", "GlassBlur", "HueSaturationValue", "ISONoise", "Illumination", "ImageCompression",
        "InvertImg", "MedianBlur", "MotionBlur", "MultiplicativeNoise", "NoOp", "PlanckianJitter",
        "PlasmaBrightnessContrast", "PlasmaShadow", "Posterize", "RGBShift", "RandomBrightnessContrast",
        "RandomFog", "RandomGamma", "RandomRain", "RandomShadow", "RandomSnow", "RandomSunFlare",
        "RandomToneCurve", "RingingOvershoot", "SaltAndPepper", "Sharpen", "ShotNoise", "Solarize",
        "Spatter", "ToGray", "ToSepia", "UnsharpMask", "ZoomBlur",
    }
)
# fmt: on
_KEPT: Final = ("min_area", "min_visibility", "min_width", "min_height")  # of bbox_params; the rest is ours


@dataclass(frozen=True, slots=True)
class Recipe:
    """How augmented copies are made.

    Attributes:
        document: As `albumentations.from_dict` takes it; boxes are COCO's xywh with the label `index`.
        copies: Of each training image.
        seed: Of all copies.
    """

    document: Mapping[str, Any]
    copies: int
    seed: int

    @property
    def text(self) -> str:
        """The document as YAML."""
        return yaml.safe_dump(dict(self.document), sort_keys=False)

    @property
    def digest(self) -> str:
        """sha256, in hex, of what decides about the copies: pipeline and its library, number and seed."""
        known = json.dumps([self.document, self.copies, self.seed], sort_keys=True)
        return hashlib.sha256(known.encode()).hexdigest()

    def replay_seed(self, image_id: str, copy: int) -> int:
        """The seed of a copy, which other images and their order do not change; below 2**32."""
        return int(hashlib.sha256(f"{self.seed}\x1f{image_id}\x1f{copy}".encode()).hexdigest()[:8], 16)

    def pipeline(self) -> Any:
        """The pipeline; for one thread."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "no transform to process boxes": they stay as they are then
            return _library().from_dict(self.document)


@dataclass(frozen=True, slots=True)
class Augmented:
    """What became of a picture.

    Attributes:
        pixels: (H, W, 3) upright RGB; another size than the parent's is possible.
        index: Objects that are still to be seen, by their place among the parent's.
        boxes: Of each of these, x, y, width, height in pixels; that of the mask where there is one.
        shapes: Of each, (H, W) mask; None = it has a box only.
    """

    pixels: UInt8Image
    index: list[int]
    boxes: list[list[float]]
    shapes: list[BoolArray | None]


def read(path: Path, *, copies: int, seed: int) -> Recipe:
    """Read and check a pipeline.

    Args:
        path: YAML in the form of `albumentations.to_dict`, as `albumentations.save` writes it.
        copies: Of each training image.
        seed: Of all copies.

    Raises:
        ReleaseError: It cannot be read, is no pipeline, or names a transform or a value that is not allowed;
            one line with the file and the place in it.
        MissingExtraError: albumentations is not installed.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise _wrong(path, f"cannot be read: {' '.join(str(error).split())}") from error
    top = found.get("transform") if isinstance(found, dict) else None
    if not isinstance(top, dict) or _name(top) != "Compose":
        raise _wrong(
            path, 'is no pipeline: expected `transform` with the class Compose, as A.save("yaml") writes'
        )
    library = _library()
    for place, node in _nodes(top.get("transforms"), "transforms", path):
        _check(library, node, place, path)
    boxes = {
        "format": "coco", "label_fields": ["index"], "clip": True, "min_width": 1.0, "min_height": 1.0,
        **_min_kept(top.get("bbox_params"), path),
    }  # fmt: skip
    whole = {
        "__class_fullname__": "Compose", "p": top.get("p", 1.0), "transforms": top["transforms"],
        "bbox_params": boxes, "keypoint_params": None, "additional_targets": {}, "is_check_shapes": True,
    }  # fmt: skip
    recipe = Recipe({"__version__": library.__version__, "transform": whole}, copies, seed)
    try:
        recipe.pipeline()
    except (ValueError, TypeError) as error:
        raise _wrong(path, f"is refused: {_first_line(error)}") from error
    return recipe


def apply(
    pipeline: Any,
    pixels: UInt8Image,
    boxes: Sequence[Sequence[float]],
    shapes: Sequence[BoolArray | None],
    *,
    seed: int,
) -> Augmented:
    """Make one copy; the same for the same seed.

    Args:
        pipeline: Of `Recipe.pipeline`.
        pixels: (H, W, 3) upright RGB.
        boxes: N boxes x, y, width, height in pixels.
        shapes: N masks (H, W), None where an object has a box only.
        seed: Of this copy.
    """
    drawn = [shape.astype(np.uint8) for shape in shapes if shape is not None]
    place = np.cumsum([shape is not None for shape in shapes]) - 1
    pipeline.set_random_seed(seed)
    made = pipeline(
        image=pixels,
        bboxes=np.asarray(boxes, np.float64).reshape(-1, 4),
        index=list(range(len(boxes))),
        **({"masks": drawn} if drawn else {}),
    )
    found = Augmented(np.ascontiguousarray(made["image"]), [], [], [])
    for box, index in zip(made["bboxes"], map(int, made["index"]), strict=True):
        shape = None if shapes[index] is None else np.asarray(made["masks"][place[index]]) > 0
        seen = [float(value) for value in box] if shape is None else _around(shape)
        if seen is not None:
            found.index.append(index)
            found.boxes.append(seen)
            found.shapes.append(shape)
    return found


def _around(shape: BoolArray) -> list[float] | None:
    height, width = shape.shape
    box = masks.bbox(masks.encode(shape), width=width, height=height)
    return None if box is None else [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _library() -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its latest version
    return require("albumentations", extra="augment")


def _min_kept(given: Any, path: Path) -> dict[str, float]:
    """What an object must keep to stay, as far as the file says so."""
    found = {name: given[name] for name in _KEPT if name in given} if isinstance(given, dict) else {}
    for name, value in found.items():
        if not isinstance(value, int | float) or value < 0:
            raise _wrong(path, f"bbox_params.{name}: expected a number, 0 or more, got {value!r}")
    return found


def _nodes(listed: Any, place: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every transform with its place in the file; those within a choice too."""
    if not isinstance(listed, list) or not listed:
        raise _wrong(path, f"{place}: expected a list of transforms")
    for number, node in enumerate(listed):
        here = f"{place}[{number}]"
        if not isinstance(node, dict) or "__class_fullname__" not in node:
            raise _wrong(path, f"{here}: expected a transform with `__class_fullname__`")
        if _name(node) in _CHOOSING:
            yield from _nodes(node.get("transforms"), f"{here}.transforms", path)
        else:
            yield here, node


def _check(library: Any, node: dict[str, Any], place: str, path: Path) -> None:
    name = _name(node)
    if name not in ALLOWED:
        raise _wrong(
            path, f"{place}: {name} is not allowed; allowed are {', '.join(sorted(ALLOWED | _CHOOSING))}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an unknown argument is but a warning there
            library.from_dict({"transform": node})
    except (ValueError, TypeError, Warning) as error:
        raise _wrong(path, f"{place}: {name}: {_first_line(error)}") from error


def _name(node: Mapping[str, Any]) -> str:
    return str(node.get("__class_fullname__")).rpartition(".")[2]


def _first_line(error: BaseException) -> str:
    """Pick the lines of pydantic's message that name the argument and what is wrong with it."""
    lines = [line.strip() for line in str(error).splitlines()]
    return ": ".join(lines[1:3] if len(lines) > 2 else lines).partition(" [type=")[0]


def _wrong(path: Path, what: str) -> ReleaseError:
    return ReleaseError(f"release.augment.pipeline = {path}: {what}")
