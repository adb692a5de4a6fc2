"""The engine that params.yaml asks for."""

from __future__ import annotations

from curate.engines.local import LocalEngine
from curate.params import EngineParams
from curate.ports import Engine


def engine(settings: EngineParams) -> Engine:
    """Processes of this machine, or a Ray cluster."""
    return LocalEngine(workers=settings.workers, retries=settings.retries)
