"""`labelstudio`: the labelling project."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from curate.params.section import Section


class LabelStudioParams(Section):
    """The labelling project. Address and token never stand here: see docs/labelstudio.md."""

    project: str = Field(
        "curate", min_length=1, max_length=50, description="title of the Label Studio project"
    )
    enabled: bool = Field(
        True, description="false = no server: answers are those of `curate import --as answers`"
    )
    instructions: Path | None = Field(None, description="Markdown file shown to the labelers")
    storage: str = Field(
        "local",
        pattern=r"^(local|(s3|gs|azure-blob)://[^/]+(/.*)?)$",
        description="local = the server reads the image files; "
        "or s3://, gs://, azure-blob:// with bucket/prefix",
    )
    removed: Literal["close", "delete", "keep"] = Field(
        "close",
        description="tasks of images that left the plan; close = nobody is offered them, work stays; "
        "delete = the next push deletes those that nobody has worked on",
    )
    moved_box: Literal["drop_mask", "queue"] = Field(
        "drop_mask",
        description="a suggested mask that stayed where it was when its box was moved away: drop_mask = the "
        "box is taken without it; queue = the answer is held back and stands in the queue",
    )
    batch_size: int = Field(
        250, ge=1, le=5000, description="tasks per import request, which has 20 MB at most"
    )
    timeout_s: float = Field(120.0, gt=0, le=3600, description="seconds a request may take")
