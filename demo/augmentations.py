"""The albumentations pipelines of the scenes: how a sign is seen, and what the camera does to a picture."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # read at import: no request goes out

import albumentations

FloatArray = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]


@functools.cache
def _sign_pipeline() -> Any:
    return albumentations.Compose(
        [
            albumentations.Perspective(scale=(0.02, 0.09), keep_size=True, p=0.9),
            albumentations.Affine(rotate=(-14, 14), shear=(-6, 6), fit_output=True, p=0.9),
        ]
    )


@functools.cache
def _scene_pipeline(kernel: int) -> Any:
    """`kernel`: the largest blur kernel in pixels, odd."""
    return albumentations.Compose(
        [
            albumentations.Illumination(mode="linear", intensity_range=(0.03, 0.2), p=0.35),
            albumentations.RandomBrightnessContrast(
                brightness_limit=(-0.22, 0.16), contrast_limit=(-0.3, 0.2), p=0.6
            ),
            albumentations.RandomGamma(gamma_limit=(75, 130), p=0.4),
            albumentations.PlanckianJitter(mode="cied", p=0.3),
            albumentations.OneOf(
                [
                    albumentations.MotionBlur(blur_limit=(3, kernel), allow_shifted=False),
                    albumentations.GaussianBlur(blur_limit=(3, kernel), sigma_limit=(0.4, kernel / 5)),
                ],
                p=0.45,
            ),
            albumentations.OneOf(
                [
                    albumentations.GaussNoise(std_range=(0.01, 0.05), noise_scale_factor=1.0),
                    albumentations.ISONoise(color_shift=(0.01, 0.04), intensity=(0.1, 0.35)),
                ],
                p=0.5,
            ),
        ]
    )


def warp_sign(sign: FloatArray, seed: int) -> FloatArray:
    """Look at a drawn sign from an angle.

    Args:
        sign: (S, S, 4) premultiplied RGBA in 0..1.
        seed: decides perspective, turn and shear.

    Returns:
        (H, W, 4) premultiplied RGBA in 0..1, as large as the turned sign needs.
    """
    pipeline = _sign_pipeline()
    pipeline.set_random_seed(seed)
    warped: FloatArray = np.clip(pipeline(image=sign)["image"], 0, 1)
    return warped


def scene_effects(image: UInt8Array, seed: int, scale: float) -> UInt8Array:
    """Light, white balance, blur and noise; nothing moves, so masks stay true.

    Args:
        image: (H, W, 3) RGB.
        seed: decides every effect.
        scale: the scene's width / 640, so that blur looks alike at every size.

    Returns:
        (H, W, 3) RGB.
    """
    pipeline = _scene_pipeline(7 if scale > 0.6 else 3)
    pipeline.set_random_seed(seed)
    effected: UInt8Array = np.ascontiguousarray(pipeline(image=image)["image"])
    return effected
