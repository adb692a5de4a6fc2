"""No checkpoint runs a program, and none is used in part, whatever adapter reads it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from curate.adapters import groundingdino_detector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.errors import ModelError
from curate.params import DetectorParams, SegmenterParams
from tests.adapters.small_detr import save_rf_detr, save_rt_detr, save_sam3
from tests.adapters.small_kinds import save_mm_grounding_dino, save_owl, save_sam, save_sam2
from tests.adapters.small_models import save_detector, save_segmenter

Load = Callable[[Path], object]


def detector(path: Path) -> object:
    return TransformersDetector(DetectorParams(model=str(path)), device="cpu")


def segmenter(path: Path) -> object:
    return TransformersSegmenter(SegmenterParams(kind="transformers", model=str(path)), device="cpu")


SAVED: dict[str, tuple[Callable[[Path], Path], Load]] = {
    "grounding": (save_detector, detector),
    "mm": (save_mm_grounding_dino, detector),
    "owlv2": (save_owl, detector),
    "rt_detr": (save_rt_detr, detector),
    "rf_detr": (save_rf_detr, detector),
    "sam3": (save_sam3, detector),
    "sam": (save_sam, segmenter),
    "sam2": (save_sam2, segmenter),
}


def own_sam(path: Path) -> object:
    return SegmentAnythingSegmenter(SegmenterParams(model=str(path), build="tiny"), device="cpu")


def package(path: Path) -> object:
    """What the adapter of groundingdino-py does with a checkpoint, at a model of two tensors."""
    model = torch.nn.Linear(2, 1)
    groundingdino_detector._read_weights(model, path, "SwinT_OGC")
    return model


class Malicious:
    """A pickle of it makes a file when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("load", [own_sam, package, detector])
def test_a_checkpoint_that_would_run_a_program_is_refused(load: Load, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    path = tmp_path / "model.pth"
    if load is detector:
        folder = save_detector(tmp_path / "folder")
        (folder / "model.safetensors").unlink()
        path = folder / "pytorch_model.bin"
    torch.save({"model": {"weight": Malicious(trace)}, "weight": Malicious(trace)}, path)
    with pytest.raises(ModelError) as caught:
        load(path.parent if load is detector else path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # and the file is what it is said to be
    assert trace.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Malicious(trace)))
    with pytest.raises(ModelError, match="is damaged or no checkpoint"):
        own_sam(path)
    assert not trace.exists()


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = folder / "model.safetensors"
    state = safetensors.torch.load_file(path)
    change(state)
    safetensors.torch.save_file(state, path, metadata={"format": "pt"})
    return folder


def renamed(name: str) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state[f"odd.{name}"] = state.pop(name)

    return change


def longer(name: str) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state[name] = torch.zeros(len(state[name]) + 1)

    return change


@pytest.mark.parametrize("kind", SAVED)
def test_weights_that_do_not_belong_are_named(kind: str, tmp_path: Path) -> None:
    """Lacking, too many, renamed, of another shape: none of these models would say a word by itself."""
    save, load = SAVED[kind]
    whole = save(tmp_path / "whole")
    names = sorted(safetensors.torch.load_file(whole / "model.safetensors"))
    name = next(name for name in names if name.endswith("norm.bias") or "norm1.bias" in name)
    stem = name.rsplit(".", 2)[-2]
    for fault, change, told in (
        ("lacks", lambda state: state.pop(name), ["lacks 1 weights", stem]),
        ("more", lambda state: state.update({"odd.weight": torch.zeros(2)}), ["has not", "odd.weight"]),
        ("renamed", renamed(name), ["lacks 1 weights", "has not", "odd."]),
        ("shape", longer(name), ["another shape", stem]),
    ):
        folder = tmp_path / fault
        shutil.copytree(whole, folder)
        with pytest.raises(ModelError) as caught:
            load(changed(folder, change))
        assert all(text in str(caught.value) for text in told), (fault, str(caught.value))


def test_weights_of_a_pth_that_do_not_belong_are_named(tmp_path: Path) -> None:
    path = save_segmenter(tmp_path / "sam.pth")
    state = torch.load(path, weights_only=True)
    name = "mask_decoder.iou_token.weight"
    for change, told in (
        (lambda state: state.pop(name), f"lacks 1 weights that the model has, such as {name}"),
        (renamed(name), f"holds 1 weights that the model has not, such as odd.{name}"),
        (longer(name), f"of another shape than the model's, such as {name}"),
    ):
        other = dict(state)
        change(other)
        torch.save(other, path)
        with pytest.raises(ModelError) as caught:
            own_sam(path)
        assert told in str(caught.value)
    torch.save(state, path)
    own_sam(path)


def test_the_public_names_that_only_training_needs_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    state = {"module.weight": torch.ones(1, 2), "module.bias": torch.ones(1)}
    surplus = {"module.label_enc.weight": torch.ones(3), "module.bert.embeddings.position_ids": torch.ones(3)}
    torch.save({"model": state | surplus}, path)
    package(path)
    torch.save({"model": state | surplus | {"module.other": torch.ones(1)}}, path)
    with pytest.raises(ModelError, match="has not, such as other"):
        package(path)
