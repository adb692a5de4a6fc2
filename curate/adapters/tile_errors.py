"""What runtimes raise while an upscaler is at a tile, as one line that names the model and the tile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from curate.adapters import torch_device
from curate.errors import CurateError, DeviceMemoryError, ModelError
from curate.records import FloatArray

NO_MEMORY: Final = "the device has no memory for a tile: set upscale.tile lower"


@contextmanager
def named(path: Path, tile: FloatArray) -> Iterator[None]:
    """Say which model cannot be run on which tile, whatever its runtime raises.

    Args:
        path: The model's file or folder.
        tile: (H, W, 3).

    Raises:
        DeviceMemoryError: The device has no memory for it.
        ModelError: The model takes no tile of this size, or another fault of the runtime.
    """
    try:
        yield
    except CurateError:
        raise
    except Exception as error:  # onnxruntime's, PyTorch's and diffusers' have no common root but this one
        if torch_device.out_of_memory(error):
            raise DeviceMemoryError(NO_MEMORY) from error
        raise ModelError(
            f"{path} cannot be run on a tile of {tile.shape[1]}x{tile.shape[0]} pixels: "
            f"{torch_device.first_line(error)}"
        ) from error
