"""Stable Diffusion's upscaler: a folder in the format of diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from curate.adapters import tile_errors, torch_device, weights
from curate.errors import ModelError
from curate.extras import require
from curate.folder_walk import paths_below
from curate.params.upscale import DiffusionParams
from curate.records import FloatArray

INDEX: Final = "model_index.json"  # in the folder; names the pipeline
_PIPELINE: Final = "StableDiffusionUpscalePipeline"
_PARTS: Final = ("unet", "vae", "text_encoder")  # those that have weights
_SHARDS: Final = "*.safetensors.index.json"  # which weights lie in which of several files
_SIDE: Final = 64  # pixels: a tile is padded to a multiple, as the denoiser halves its sides several times


def is_pipeline(model: str) -> bool:
    """Whether a setting names a folder of diffusers."""
    return (Path(model).expanduser() / INDEX).is_file()


class DiffusionUpscaler:
    """An `Upscaler` from a folder of diffusers; nothing is fetched."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        precision: torch_device.Precision,
        settings: DiffusionParams,
        setting: str = "upscale.device",
    ) -> None:
        """Load the pipeline.

        Args:
            folder: Of diffusers.
            device: auto, cpu, cuda or mps.
            precision: See `torch_device.place`.
            settings: How it draws.
            setting: Where the user sets the device, for the message.

        Raises:
            ModelError: It is another pipeline, damaged, has weights in pickles, or a weight that the
                checkpoint or the model lacks, by name.
            MissingExtraError: diffusers is not installed.
        """
        self._torch = require("torch", extra="diffusion")
        diffusers = require("diffusers", extra="diffusion")
        require("transformers", extra="diffusion")
        self._place = torch_device.place(device, precision, setting=setting)
        self._folder, self._settings = folder, settings
        self.ran_on = str(self._place)
        files = paths_below(folder, "*")
        classes = _classes(folder)
        try:
            pipeline = diffusers.StableDiffusionUpscalePipeline.from_pretrained(
                str(folder),
                local_files_only=True,
                safety_checker=None,  # it would make tiles black
                **{name: _part(folder, name, *classes[name]) for name in _PARTS},
            )
        except ModelError:
            raise
        except Exception as error:  # each part has errors of its own
            raise ModelError(f"{folder} cannot be loaded: {torch_device.first_line(error)}") from error
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline.to(self._place.device, self._place.half or self._torch.float32)
        self.scale: int = pipeline.vae_scale_factor
        drawn = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        self.model_version = f"{folder.name}@{weights.digest(files)} {drawn}"

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`. The noise of a tile is drawn from the seed alone."""
        torch, settings = self._torch, self._settings
        height, width = tile.shape[:2]
        padded = np.pad(tile, ((0, -height % _SIDE), (0, -width % _SIDE), (0, 0)), mode="edge")
        planes = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None]
        enough = torch_device.enough_memory(1, setting="upscale.tile")
        with tile_errors.named(self._folder, tile), enough, torch.inference_mode():
            made: Any = self._pipeline(
                prompt=settings.prompt,
                image=self._place.put(planes),
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance if settings.prompt else 1.0,  # 1 = nothing to be guided by
                noise_level=settings.noise_level,
                generator=torch.Generator().manual_seed(settings.seed),
                output_type="np",
            ).images[0]
        return np.ascontiguousarray(made[: height * self.scale, : width * self.scale], dtype=np.float32)


def _classes(folder: Path) -> dict[str, tuple[str, str]]:
    """Library and class of each part with weights.

    Raises:
        ModelError: The folder is of another pipeline, or damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        named = index["_class_name"]
        classes = {name: (str(index[name][0]), str(index[name][1])) for name in _PARTS if named == _PIPELINE}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{folder / INDEX} cannot be read: {torch_device.first_line(error)}") from error
    if named != _PIPELINE:
        raise ModelError(f"{folder} holds a {named}: expected a {_PIPELINE}")
    for name, (library, _) in classes.items():
        if library not in ("diffusers", "transformers"):
            raise ModelError(f"{folder / INDEX}: {name} is of {library}, expected diffusers or transformers")
    return classes


def _part(folder: Path, name: str, library: str, kind: str) -> Any:
    """A part with all its weights; the pipeline itself would draw at random what the files lack.

    Raises:
        ModelError: A weight that one of both lacks or has in another shape, by name.
    """
    lowered = {"low_cpu_mem_usage": False} if library == "diffusers" else {}  # transformers knows it no more
    part, report = getattr(require(library, extra="diffusion"), kind).from_pretrained(
        str(folder / name),
        local_files_only=True,
        use_safetensors=True,  # a pickle could run any program
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are in the report, and refused below, by name
        **lowered,
    )
    gone, odd = _not_as_indexed(folder / name)
    weights.refuse(
        str(folder / name),
        missing=sorted({*report["missing_keys"], *gone}),
        surplus=sorted({*report["unexpected_keys"], *odd}),
        shape=sorted(one for one, *_ in report["mismatched_keys"]),
    )
    return part


def _not_as_indexed(folder: Path) -> tuple[set[str], set[str]]:
    """Weights that an index of shards names and no shard holds, and the other way round.

    diffusers reports by the index alone.
    """
    safetensors = require("safetensors", extra="diffusion")
    indexed: set[str] = set()
    held: set[str] = set()
    for index in folder.glob(_SHARDS):
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        indexed |= set(places)
        for file in set(places.values()):
            with safetensors.safe_open(folder / file, framework="pt") as shard:
                held |= set(shard.keys())
    return indexed - held, held - indexed
