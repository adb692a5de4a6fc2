"""The card of an exported upscaler: from which weights, under which license, and how it was checked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

import yaml

from curate.release import markdown

_ONNX: Final = "Input `image`, output `upscaled`: (1, 3, H, W) RGB in [0, 1], float32, free sizes.\n"
_NCNN: Final = (
    "Blob `in0` in, `out0` out: (3, H, W) RGB in [0, 1], float32, free sizes; weights of 32 bits. "
    "`curate upscale --model FILE.param` runs it, and so does ncnn on a telephone or a GPU with Vulkan "
    "(not run here).\n"
)
_RUNTIME: Final = {"onnx": "onnxruntime", "ncnn": "ncnn"}


def card(
    *,
    name: str,
    license: str,
    scale: int,
    kind: str,
    files: Mapping[str, str],
    source: tuple[str, str],
    checks: Sequence[tuple[int, int, float]],
) -> str:
    """README.md beside the files.

    Args:
        name: Of the model.
        license: Of the weights.
        scale: Factor of enlargement.
        kind: onnx | ncnn.
        files: sha256 of each file by its name.
        source: Name and sha256 of the weights that they were made from.
        checks: Height, width and the largest difference from them, of values in [0, 1].
    """
    front = {"license": license, "tags": ["super-resolution", kind], "pipeline_tag": "image-to-image"}
    parts = [f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n", f"# {markdown.escaped(name)}, x{scale}\n"]
    parts.append(_ONNX if kind == "onnx" else _NCNN)
    listed = [*files.items(), (f"{source[0]} (made from)", source[1])]
    digests = ((markdown.escaped(file), markdown.code(digest)) for file, digest in listed)
    parts.append(markdown.table(("file", "sha256"), digests))
    rows = ((f"{width} x {height}", f"{difference:.1e}") for height, width, difference in checks)
    parts.append(f"Checked against PyTorch with {_RUNTIME[kind]} on a CPU:\n")
    parts.append(markdown.table(("pixels", "largest difference"), rows))
    if kind == "onnx":
        parts.append(
            "TensorRT: `tensorrt.sh` builds an engine with `trtexec`. It was not run here: it needs a GPU.\n"
        )
    parts.append("Sharper is not truer: a model adds what such pictures usually have.\n")
    return "\n".join(parts)


def tensorrt_script(onnx: str, *, tile: int = 256) -> str:
    """A shell script that builds a TensorRT engine of an ONNX file of free sizes, with its configuration.

    Up to TensorRT 10 the engine has 16 bits where that is quicker. TensorRT 11 has no such option: it takes
    the types that the file has, 32 bits.

    Args:
        onnx: Name of the file, in the script's folder.
        tile: Pixels of a side that the engine is made fastest for.

    Source:
        NVIDIA, "Migrating trtexec Usage from TensorRT 10.x to 11.x".
    """
    shapes = {"min": 32, "opt": tile, "max": 2 * tile}
    lines = [f"  --{name}Shapes=image:1x3x{side}x{side} \\" for name, side in shapes.items()]
    engine = onnx.removesuffix(".onnx") + ".engine"
    return "\n".join(
        [
            "#!/bin/sh",
            "# NOT RUN where it was written: it needs an NVIDIA GPU and TensorRT's trtexec. Compare the",
            "# engine's pixels with those of the ONNX file: 16 bits may differ by some levels of 255.",
            'cd "$(dirname "$0")" || exit 1',
            "half=",
            "if trtexec --help 2>&1 | grep -q -- '^ *--fp16'; then half=--fp16; fi  # TensorRT 10 and older",
            "# TensorRT 11 takes the types of the file, here 32 bits. For 16, make such a file first:",
            "# python -m modelopt.onnx.autocast --onnx_path FILE",
            "trtexec \\",
            f"  --onnx={shlex.quote(onnx)} \\",
            "  $half \\",
            *lines,
            f"  --saveEngine={shlex.quote(engine)}",
            "",
        ]
    )
