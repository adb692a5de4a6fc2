"""The engine that params.yaml asks for."""

from __future__ import annotations

from curate.engines.local import LocalEngine
from curate.engines.ray import RayEngine
from curate.params import EngineParams
from curate.ports import Engine


def engine(settings: EngineParams) -> Engine:
    """Processes of this machine, or a Ray cluster."""
    if settings.kind == "ray":
        return RayEngine(workers=settings.workers, address=settings.address, retries=settings.retries)
    return LocalEngine(workers=settings.workers, retries=settings.retries)
