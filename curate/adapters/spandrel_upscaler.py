"""Upscalers of PyTorch: whatever spandrel recognizes by its weights (ESRGAN, SwinIR, HAT, DAT, ...)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from curate.adapters import tile_errors, torch_device, weights
from curate.errors import DeviceMemoryError, ModelError
from curate.extras import require
from curate.records import FloatArray

ENDINGS: Final = (".pth", ".pt", ".ckpt", ".safetensors")  # of files of weights


class SpandrelUpscaler:
    """An `Upscaler` from a .pth or .safetensors file."""

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        precision: torch_device.Precision,
        setting: str = "upscale.device",
    ) -> None:
        """Load the network.

        Args:
            path: The file.
            device: auto, cpu, cuda or mps.
            precision: See `torch_device.place`.
            setting: Where the user sets the device, for the message.

        Raises:
            ModelError: Damaged, of an architecture that spandrel does not know, with a weight that the file
                or the model lacks (by name), or no upscaler of RGB images.
            MissingExtraError: spandrel is not installed.
        """
        self._torch = require("torch", extra="restoration")
        self._place = torch_device.place(device, precision, setting=setting)
        self._path = path
        self.ran_on = str(self._place)
        self._model = descriptor(path)
        self._model.to(self._place.device)
        self._layout = self._torch.contiguous_format
        if self._place.device.type == "cpu":
            self._lay_out_channels_last()
        self.scale: int = self._model.scale
        self.model_version = f"{path.stem}@{weights.digest([path])}"

    @property
    def module(self) -> Any:
        """The `torch.nn.Module`: (1, 3, H, W) in, (1, 3, H * scale, W * scale) out."""
        return self._model.model

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`."""
        enough = torch_device.enough_memory(1, setting="upscale.tile")
        with tile_errors.named(self._path, tile), enough, self._computing():
            planes = self._torch.from_numpy(np.ascontiguousarray(tile)).permute(2, 0, 1)[None]
            planes = self._place.put(planes.contiguous(memory_format=self._layout))
            made = self._model(planes).float().cpu()[0].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(made)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Compute with oneDNN, whose convolutions take a third of the time of the ones that detectors use.

        Its sums may differ in the last bit of 24 from one number of threads to another: a pixel is a level of
        255 off where it lies just between two levels.
        """
        one_dnn = self._torch.backends.mkldnn
        before = one_dnn.set_flags(True)[0]
        try:
            with self._place.computing():
                yield
        finally:
            one_dnn.set_flags(before)

    def _lay_out_channels_last(self) -> None:
        """The layout that oneDNN is quickest in; architectures that take axes apart by `view` refuse it."""
        self._lay_out(self._torch.channels_last)
        try:
            self.upscale(np.zeros((32, 32, 3), dtype=np.float32))
        except ModelError as error:
            if not isinstance(error.__cause__, RuntimeError) or isinstance(error, DeviceMemoryError):
                raise
            self._lay_out(self._torch.contiguous_format)

    def _lay_out(self, layout: Any) -> None:
        self._layout = layout
        self.module.to(memory_format=layout)


def check_file(path: Path) -> None:
    """Refuse what is no file of weights of PyTorch, before anything is read.

    Raises:
        ModelError: Another ending, or there is no such file.
    """
    if path.suffix not in ENDINGS:
        raise ModelError(f"weights {path}: expected a file of PyTorch ({', '.join(ENDINGS)})")
    if not path.is_file():
        raise ModelError(f"weights {path} do not exist, or are a folder: check the path")


def descriptor(path: Path) -> Any:
    """The `ImageModelDescriptor` of spandrel for a file of weights, for RGB in and out.

    Raises:
        ModelError: As `SpandrelUpscaler`.
    """
    spandrel = require("spandrel", extra="restoration")
    what = f"weights {path}"
    if path.suffix == ".safetensors":
        try:
            state = require("safetensors.torch", extra="restoration").load_file(path)
        except Exception as error:  # safetensors has an error of its own for each kind of damage
            raise ModelError(f"{what} are damaged: {torch_device.first_line(error)}") from error
    else:
        state = weights.read_checkpoint(path, what=what)
    try:
        model = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(state))
    except (RuntimeError, LookupError, ValueError, AssertionError) as error:
        raise ModelError(f"{what} are not those of one architecture: {_fault(error)}") from error
    except (spandrel.UnsupportedModelError, *torch_device.DAMAGED) as error:
        raise ModelError(f"{what}: spandrel knows no such architecture (by the weights' names)") from error
    if not isinstance(model, spandrel.ImageModelDescriptor) or (
        model.input_channels,
        model.output_channels,
    ) != (3, 3):
        raise ModelError(f"{what} are of {model.architecture.name}, which makes no RGB image of one")
    return model.eval()


def _fault(error: BaseException) -> str:
    """What PyTorch says of weights that lack, are too many or of another shape, in one line.

    spandrel looks for some by name to find an architecture's sizes: what it then lacks is the key.
    """
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return " ".join(str(error).split())[:300]
