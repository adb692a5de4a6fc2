"""The device by name, and the digest of weights files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from curate.adapters import torch_device
from curate.errors import ModelError


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
from pipelines.models import models
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
