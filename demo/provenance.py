"""What a record of a training or an evaluation says about where it ran."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch",
    "transformers",
    "segment-anything",
    "albumentations",
    "scikit-image",
    "scikit-learn",
    "numpy",
)


def environment(options: argparse.Namespace, torch: Any) -> dict[str, Any]:
    """Arguments, device and versions; no host names and no absolute paths."""
    device = getattr(options, "device", "cpu")
    name = torch.cuda.get_device_name() if device.startswith("cuda") else _processor()
    return {
        "arguments": {key: _plain(value) for key, value in sorted(vars(options).items())},
        "device": name,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def _plain(value: Any) -> Any:
    return (
        value.name
        if isinstance(value, Path) and value.is_absolute()
        else str(value)
        if isinstance(value, Path)
        else value
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
