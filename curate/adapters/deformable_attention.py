"""Grounding DINO's deformable attention on a processor, for both packages that hold one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from curate.adapters import deformable
from curate.adapters.torch_device import Place
from curate.extras import require

_PACKAGE = "groundingdino.models.GroundingDINO.ms_deform_attn"
_NAME = "multi_scale_deformable_attn_pytorch"


_ARGUMENTS = (
    "value",
    "value_spatial_shapes",
    "value_spatial_shapes_list",
    "level_start_index",
    "sampling_locations",
    "attention_weights",
    "im2col_step",
)


def gather_on_cpu(model: Any, place: Place) -> None:
    """Let a model of transformers compute it by `curate.adapters.deformable`; on a GPU nothing changes.

    Scores move by their last digits, because the same sums are taken in another order.
    """
    if place.device.type != "cpu":
        return
    for module in model.modules():
        if type(module).__name__ == "MultiScaleDeformableAttention":
            module.forward = functools.partial(_in_transformers, module.forward)


def gather_on_cpu_in_package(place: Place) -> None:
    """The same for groundingdino-py, which calls a function of its module."""
    module = require(_PACKAGE, extra="autolabel")
    inner = getattr(module, _NAME)
    if place.device.type == "cpu" and not isinstance(inner, functools.partial):
        setattr(module, _NAME, functools.partial(_in_groundingdino, inner))


def _in_transformers(inner: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Called as `MultiScaleDeformableAttention.forward`, by position or by name."""
    given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
    value, locations, weights = (given[name] for name in ("value", "sampling_locations", "attention_weights"))
    if not _plain(value, locations, weights):
        return inner(*args, **kwargs)
    return _attend(value, given["value_spatial_shapes_list"], locations, weights)


def _in_groundingdino(
    inner: Callable[..., Any], value: Any, shapes: Any, locations: Any, weights: Any
) -> Any:
    if not _plain(value, locations, weights):
        return inner(value, shapes, locations, weights)
    return _attend(value, shapes.tolist(), locations, weights)


def _plain(*tensors: Any) -> bool:
    """Whether they are float32 in this machine's memory and need no gradient."""
    torch = require("torch", extra="autolabel")
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return False
    return all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)


def _attend(value: Any, shapes: Any, locations: Any, weights: Any) -> Any:
    torch = require("torch", extra="autolabel")
    levels = [(int(rows), int(columns)) for rows, columns in shapes]
    arrays = (tensor.detach().numpy() for tensor in (value, locations, weights))
    features, places, shares = arrays
    return torch.from_numpy(deformable.attend(features, levels, places, shares))
