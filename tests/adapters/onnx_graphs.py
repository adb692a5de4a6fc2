"""Small ONNX files: upscalers, and files that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FREE = (1, 3, "h", "w")


def enlarging(
    path: Path,
    *,
    weight: float = 1.0,
    planes: int = 3,
    hidden: int = 3,
    first: Sequence[Any] = (),
    given: Sequence[Any] | None = None,
    kind: int = TensorProto.FLOAT,
    inputs: int = 1,
    external: str | None = None,
) -> Path:
    """A file that makes every pixel `weight` times as bright, on twice the side.

    Args:
        path: Where to.
        weight: Of its middle.
        planes: Of the image that it takes.
        hidden: Planes between its two convolutions.
        first: Nodes before them, from "image" to "shaped".
        given: Shape of its input; None = free sides.
        kind: Of its input.
        inputs: How many it has.
        external: Name of the file that its weights lie in; None = its own.
    """
    wide = np.zeros((hidden, planes, 3, 3), np.float32)
    narrow = np.zeros((planes, hidden, 3, 3), np.float32)
    for plane in range(planes):
        wide[plane, plane, 1, 1], narrow[plane, plane, 1, 1] = weight, 1
    nodes = [
        *first,
        helper.make_node("Conv", ["shaped" if first else "image", "wide"], ["between"], pads=[1] * 4),
        helper.make_node("Conv", ["between", "narrow"], ["kept"], pads=[1] * 4),
        helper.make_node("Resize", ["kept", "", "factors"], ["made"], mode="nearest"),
    ]
    taken = [helper.make_tensor_value_info("image", kind, given or (1, planes, "h", "w"))]
    taken += [helper.make_tensor_value_info(f"more{n}", kind, FREE) for n in range(inputs - 1)]
    held = {"wide": wide, "narrow": narrow, "factors": np.array([1, 1, 2, 2], np.float32)}
    graph = helper.make_graph(
        nodes,
        "enlarging",
        taken,
        [helper.make_tensor_value_info("made", TensorProto.FLOAT, (1, planes, "H", "W"))],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if external:
        (path.parent / external).unlink(missing_ok=True)  # else it is written at the end of it
    more = {"save_as_external_data": True, "location": external, "size_threshold": 100} if external else {}
    onnx.save(model, str(path), **more)
    return path


def even_sides_only() -> list[Any]:
    """Nodes that fail on odd sides: they fold two pixels into one, and back."""
    return [
        helper.make_node("SpaceToDepth", ["image"], ["folded"], blocksize=2),
        helper.make_node("DepthToSpace", ["folded"], ["shaped"], blocksize=2),
    ]


def odd_sides_floored() -> list[Any]:
    """Nodes that lose the last pixel of odd sides."""
    return [
        helper.make_node("MaxPool", ["image"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "factors"], ["shaped"], mode="nearest"),
    ]


def as_float() -> list[Any]:
    """Nodes that make floats of whatever values the input has."""
    return [helper.make_node("Cast", ["image"], ["shaped"], to=TensorProto.FLOAT)]
