"""Under which license each metric stands: its code, and the weights that it needs."""

from __future__ import annotations

from typing import Final

_HERE: Final = "Apache-2.0, a published formula in this package; no weights"
_LICENSES: Final = {
    "ssimulacra2": "BSD-3-Clause (package ssimulacra2); no weights",
    "flip": "BSD-3-Clause (package flip-evaluator); no weights",
    "vmaf": "BSD-2-Clause-Patent (libvmaf with its model v0.6.1), run by a program ffmpeg under the GPL",
    "lpips": "Apache-2.0 (torchmetrics), heads BSD-2-Clause; backbone AlexNet of torchvision, BSD-3-Clause, "
    "trained on ImageNet",
    "dists": "Apache-2.0 (torchmetrics), heads MIT; backbone VGG-16 of torchvision, BSD-3-Clause, trained on "
    "ImageNet",
    "niqe_here": "Apache-2.0, NIQE's formula in this package; its model is fitted on the project's own clean "
    "images, so that no weights of others are used",
}


def of(metric: str) -> str:
    """The license of a metric of `measure.metrics`."""
    return _LICENSES.get(metric, _HERE)
