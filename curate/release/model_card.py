"""The card of an exported upscaler: from which weights, under which licence, and how it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from curate.release import markdown


def card(
    *,
    name: str,
    license: str,
    scale: int,
    files: Mapping[str, str],
    source: tuple[str, str],
    checks: Sequence[tuple[int, int, float]],
) -> str:
    """README.md beside the file.

    Args:
        name: Of the model.
        license: Of the weights.
        scale: Factor of enlargement.
        files: sha256 of each file by its name.
        source: Name and sha256 of the weights that it was made from.
        checks: Height, width and the largest difference from them, of values in [0, 1].
    """
    front = {"license": license, "tags": ["super-resolution", "onnx"], "pipeline_tag": "image-to-image"}
    parts = [f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n", f"# {markdown.escaped(name)}, x{scale}\n"]
    parts.append("Input `image`, output `upscaled`: (1, 3, H, W) RGB in [0, 1], float32, free sizes.\n")
    listed = [*files.items(), (f"{source[0]} (made from)", source[1])]
    digests = ((markdown.escaped(file), markdown.code(digest)) for file, digest in listed)
    parts.append(markdown.table(("file", "sha256"), digests))
    rows = ((f"{width} x {height}", f"{difference:.1e}") for height, width, difference in checks)
    parts.append("Checked against PyTorch with onnxruntime on a CPU:\n")
    parts.append(markdown.table(("pixels", "largest difference"), rows))
    shape = "image:1x3x{0}x{0}"
    command = (
        f"trtexec --onnx={next(iter(files))} --fp16 --minShapes={shape.format(64)} "
        f"--optShapes={shape.format(256)} --maxShapes={shape.format(512)} --saveEngine=model.engine"
    )
    parts.append(f"TensorRT (not run here: it needs a GPU):\n\n```\n{command}\n```\n")
    parts.append("Sharper is not truer: a model adds what such pictures usually have.\n")
    return "\n".join(parts)
