"""`engine`: where the stages that look at every image run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.params.section import Section


class EngineParams(Section):
    """Where the stages that look at every image run; results do not depend on it."""

    kind: Literal["local", "ray"] = Field("local", description="local = processes here; ray = a Ray cluster")
    workers: int = Field(0, ge=0, le=65_536, description="processes; 0 = one per core")
    address: str | None = Field(
        None, description="kind ray: an existing cluster, such as auto or host:6379; null = an own one"
    )
    batch_size: int = Field(64, ge=1, le=100_000, description="images that a worker takes at a time")
    retries: int = Field(2, ge=0, le=100, description="times an item may kill its worker process again")
