"""What every section of params.yaml has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section: unknown names are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
