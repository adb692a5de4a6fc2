"""The engine that params.yaml asks for."""

from __future__ import annotations

from curate.engines import factory, process
from curate.engines.factory import model_engine
from curate.params import EngineParams
from curate.ports import Engine

__all__ = ["engine", "model_engine"]


def engine(settings: EngineParams) -> Engine:
    """Make the engine of a stage that begins with work of its own, while the workers' server starts."""
    if settings.kind == "local":
        process.begin_early()
    return factory.engine(settings)
