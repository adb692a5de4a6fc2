"""ONNX files as upscalers: which are refused and in what words, what their version covers, lack of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.adapters import torch_device, weights
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.errors import DeviceMemoryError, ModelError
from curate.restoration import tiles
from tests.adapters import onnx_graphs

pytest.importorskip("onnxruntime")
GRAY = np.full((40, 52, 3), 0.25, dtype=np.float32)


def test_weights_in_a_file_of_their_own_count_for_the_version(tmp_path: Path) -> None:
    path = onnx_graphs.enlarging(tmp_path / "sr.onnx", external="sr.onnx.data")
    assert weights.parts(path) == [path, tmp_path / "sr.onnx.data"]
    first, graph = OnnxUpscaler(path), path.read_bytes()
    assert first.upscale(GRAY).mean() == pytest.approx(0.25, rel=0.1)
    onnx_graphs.enlarging(path, weight=0.5, external="sr.onnx.data")
    assert path.read_bytes() == graph  # only the other file is a new one
    second = OnnxUpscaler(path)
    assert second.upscale(GRAY).mean() == pytest.approx(0.125, rel=0.1)
    assert second.model_version != first.model_version


def test_tensors_of_inner_graphs_and_functions_name_their_files_too(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    def outside(name: str) -> TensorProto:
        tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], [1.0])
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"{name}.bin")
        return tensor

    constant = helper.make_node("Constant", [], ["c"], value=outside("constant"))
    branch = helper.make_graph([constant], "branch", [], [], [outside("initial")])
    choice = helper.make_node("If", ["yes"], ["c"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([choice], "all", [], [], [outside("weights"), outside("weights")])
    function = helper.make_function(
        "own", "f", [], ["d"], [helper.make_node("Constant", [], ["d"], value=outside("inner"))], []
    )
    onnx.save(helper.make_model(graph, functions=[function]), str(tmp_path / "a.onnx"))
    names = ["a.onnx", "constant.bin", "initial.bin", "inner.bin", "weights.bin"]
    assert [one.name for one in weights.parts(tmp_path / "a.onnx")] == names


def test_a_file_without_other_files_keeps_its_version(tmp_path: Path) -> None:
    path = onnx_graphs.enlarging(tmp_path / "sr.onnx")
    assert weights.parts(path) == [path]
    assert OnnxUpscaler(path).model_version == f"sr@{weights.digest([path])}"


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"planes": 1}, r"takes \[1, 1, 'h', 'w'\], expected \(1, 3, H, W\)"),
        ({"inputs": 2}, "has 2 inputs and 1 outputs, not one"),
        ({"given": (4, 3, "h", "w")}, r"takes \[4, 3, 'h', 'w'\], expected"),
        (
            {"kind": onnx_graphs.TensorProto.UINT8, "first": onnx_graphs.as_float()},
            r"takes tensor\(uint8\), expected tensor\(float\)",
        ),
        ({"given": (1, 3, 20, "w")}, r"cannot be run on a tile of 32x32 pixels"),
    ],
)
def test_what_is_no_upscaler_is_refused_with_its_path(tmp_path: Path, how: dict[str, Any], says: str) -> None:
    path = onnx_graphs.enlarging(tmp_path / "unfit.onnx", **how)
    with pytest.raises(ModelError, match=rf"unfit\.onnx {says}"):
        OnnxUpscaler(path)


def test_a_file_that_fails_on_a_tile_is_named_with_the_tile(tmp_path: Path) -> None:
    path = onnx_graphs.enlarging(tmp_path / "even.onnx", first=onnx_graphs.even_sides_only())
    even = OnnxUpscaler(path)
    assert even.upscale(GRAY).shape == (80, 104, 3)
    with pytest.raises(
        ModelError, match=r"even\.onnx cannot be run on a tile of 51x40 pixels: .*SpaceToDepth"
    ):
        even.upscale(GRAY[:, :51])


def test_a_file_that_loses_pixels_is_named(tmp_path: Path) -> None:
    path = onnx_graphs.enlarging(tmp_path / "floor.onnx", first=onnx_graphs.odd_sides_floored())
    with pytest.raises(
        ModelError, match=r"model floor@\w+ makes \(80, 100, 3\) of a tile \(40, 51, 3\), not 2"
    ):
        list(tiles.upscaled_bands(GRAY[:, :51], OnnxUpscaler(path), tiles.TileSize(64, 16)))


SHORT = """
import resource, sys
from pathlib import Path
import numpy as np
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.errors import DeviceMemoryError

upscaler = OnnxUpscaler(Path(sys.argv[1]))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
try:
    upscaler.upscale(np.zeros((1024, 1024, 3), np.float32))
except DeviceMemoryError as error:
    print(error)
print(upscaler.upscale(np.zeros((64, 64, 3), np.float32)).shape, "torch" in sys.modules)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on memory is Linux's")
def test_onnxruntime_without_memory_says_so_and_takes_smaller_tiles(tmp_path: Path) -> None:
    """In a process of its own, whose memory is limited: 256 planes of 1024x1024 are 1 GiB."""
    path = onnx_graphs.enlarging(tmp_path / "wide.onnx", hidden=256)
    ran = subprocess.run(
        [sys.executable, "-c", SHORT, str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    # PyTorch is not loaded to understand the message: there is no memory for that.
    assert ran.stdout.splitlines() == [
        "the device has no memory for a tile: set upscale.tile lower",
        "(128, 128, 3) False",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. "
        "bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 17179869184",
        "std::bad_alloc",
        "CUDA out of memory. Tried to allocate 20.00 GiB",
        "CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_lack_of_memory_is_known_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    assert torch_device.out_of_memory(RuntimeError(said))
    upscaler = OnnxUpscaler(onnx_graphs.enlarging(tmp_path / "sr.onnx"))

    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError(said)

    monkeypatch.setattr(upscaler, "_session", Full())
    with pytest.raises(DeviceMemoryError, match=r"set upscale\.tile lower"):
        upscaler.upscale(GRAY)


def test_a_fault_that_is_no_lack_of_memory_stays_one() -> None:
    assert not torch_device.out_of_memory(RuntimeError("SpaceToDepth requires sides that divide"))


def test_a_weight_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    import onnx

    path = onnx_graphs.enlarging(tmp_path / "lacks.onnx")
    model = onnx.load(str(path))
    (wide,) = [one for one in model.graph.initializer if one.name == "wide"]
    wide.name = "odd"
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=r"lacks\.onnx cannot be loaded: .*'wide'"):
        OnnxUpscaler(path)


def test_weights_in_a_file_of_their_own_that_end_too_soon_are_refused(tmp_path: Path) -> None:
    path = onnx_graphs.enlarging(tmp_path / "cut.onnx", external="cut.onnx.data")
    outside = tmp_path / "cut.onnx.data"
    outside.write_bytes(outside.read_bytes()[:-40])
    with pytest.raises(ModelError, match=r"cut\.onnx cannot be loaded"):
        OnnxUpscaler(path)
