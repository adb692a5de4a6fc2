"""The engine that params.yaml asks for."""

from __future__ import annotations

from curate.engines import placement
from curate.engines.local import LocalEngine
from curate.engines.ray import RayEngine
from curate.params import EngineParams
from curate.ports import Engine


def engine(settings: EngineParams) -> Engine:
    """Processes of this machine, or a Ray cluster."""
    if settings.kind == "ray":
        return RayEngine(settings.workers, address=settings.address, retries=settings.retries)
    return LocalEngine(settings.workers, retries=settings.retries)


def model_engine(settings: EngineParams, device: str, *, workers: int = 0) -> Engine:
    """Make the engine for models: processes that share GPUs or cores, or a Ray cluster.

    Args:
        settings: Of params.yaml.
        device: auto, cpu, cuda or mps. On a cluster, auto and cuda give each worker a GPU of its own; auto
            takes CPUs where no machine has a GPU.
        workers: Processes of this machine; 0 = one per GPU, or one per core as far as memory goes.
    """
    if settings.kind == "ray":
        gpus = {"cuda": True, "auto": None}.get(device, False)
        return RayEngine(settings.workers, address=settings.address, retries=settings.retries, gpus=gpus)
    environments = placement.of_this_machine(device, workers)
    return LocalEngine(retries=settings.retries, environments=environments)
