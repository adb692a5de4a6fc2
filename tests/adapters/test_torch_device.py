"""The device by name, and the digest of weights files."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from curate.adapters import torch_device
from curate.errors import DeviceMemoryError, ModelError


def test_auto_takes_the_best_that_is_there() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert torch_device.choose("auto").type == expected
    assert torch_device.choose("cpu").type == "cpu"


def test_a_foreign_message_becomes_one_short_line() -> None:
    assert torch_device.first_line(RuntimeError("first\nsecond")) == "first"
    assert torch_device.first_line(RuntimeError()) == "RuntimeError"
    assert len(torch_device.first_line(RuntimeError("x" * 900))) == 200


FINDINGS = """
from pathlib import Path
from curate.params import AutolabelParams
from curate_pipelines.models import models
import torch
from tests import builders
from tests.adapters.small_models import category

settings = AutolabelParams.model_validate({
    "device": "cpu",
    "detector": {"model": "demo/models/detector"},
    "segmenter": {"kind": "none"},
})
loaded = models(settings)
pictures = [builders.scene([], seed=seed) for seed in range(3)]
categories = (category("stop_sign", "stop sign"), category("parking_sign", "parking sign"))
for threads in (1, 2, 3):
    torch.set_num_threads(threads)
    found = loaded.detector.detect(pictures, categories)
    print([(one.boxes.tobytes().hex(), one.scores.tobytes().hex()) for one in found])
"""


def test_the_number_of_threads_does_not_show_in_the_boxes() -> None:
    """In a fresh process, for MKL reads its setting once."""
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    ran = subprocess.run(
        [sys.executable, "-c", FINDINGS],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == 3
    assert len(lines[0]) > 100
    assert len(set(lines)) == 1


def test_too_little_memory_says_what_to_do() -> None:
    message = r"no memory for 4 images: set autolabel\.detector\.batch_size lower"
    with pytest.raises(ModelError, match=message), torch_device.enough_memory(4):
        raise torch.OutOfMemoryError
    with torch_device.enough_memory(4):
        pass


def test_precision_by_name() -> None:
    assert torch_device.place("cpu", "auto", setting="autolabel.device").half is None
    assert torch_device.place("cpu", "float32", setting="autolabel.device").half is None
    assert torch_device.place("cpu", "bfloat16", setting="autolabel.device").half is torch.bfloat16
    assert torch_device.place("cpu", "float16", setting="autolabel.device").half is torch.float16
    assert str(torch_device.place("cpu", "auto", setting="autolabel.device")) == "cpu float32"
    assert str(torch_device.Place(torch.device("cuda"), torch.bfloat16)) == "cuda bfloat16"


def test_half_precision_is_in_use_and_some_modules_are_out_of_it() -> None:
    place = torch_device.place("cpu", "bfloat16", setting="autolabel.device")
    layer, exact = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    torch_device.in_full_precision(exact, place)
    with place.computing():
        half = layer(torch.ones(2, 4))
        assert half.dtype is torch.bfloat16
        assert exact(half).dtype is torch.float32
        assert torch.is_inference_mode_enabled()
    with torch_device.place("cpu", "float32", setting="autolabel.device").computing():
        assert layer(torch.ones(2, 4)).dtype is torch.float32


def test_what_other_devices_say_without_memory_is_known() -> None:
    """CUDA has a type for it; the others have words."""
    for error in (
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB)"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ):
        with pytest.raises(DeviceMemoryError, match="no memory for 1 image: set x lower"):
            _raise_within(error)
    with pytest.raises(RuntimeError, match="another"):
        _raise_within(RuntimeError("another defect"))


def _raise_within(error: BaseException) -> None:
    with torch_device.enough_memory(1, setting="x"):
        raise error


def test_nothing_of_a_batch_that_did_not_fit_stays() -> None:
    """The error's frames would hold its tensors as long as somebody holds the error."""
    kept: list[weakref.ref[torch.Tensor]] = []

    def forward() -> None:
        tensor = torch.ones(1000)
        kept.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError

    with pytest.raises(DeviceMemoryError) as caught, torch_device.enough_memory(2):
        forward()
    assert caught.value.__cause__ is not None
    assert kept[0]() is None
