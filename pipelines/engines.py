"""The engine that params.yaml asks for."""

from __future__ import annotations

from curate.engines.chosen import engine, model_engine

__all__ = ["engine", "model_engine"]
