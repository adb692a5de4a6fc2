"""`gates`: what must hold before anything is released."""

from __future__ import annotations

from pydantic import Field, field_validator

from curate.params import requirement
from curate.params.section import Section


class GatesParams(Section):
    """What must hold before anything is released (docs/agreement.md)."""

    licenses: bool = Field(True, description="the license of every image is known")
    no_disputed: bool = Field(
        True, description="no image is inside on which people do not agree, or whose answer was not read"
    )
    no_leaks: bool = Field(True, description="no picture stands in two splits")
    no_planted_errors: bool = Field(True, description="no image is inside with a planted error left in")
    require: dict[str, str] = Field(
        default_factory=dict, description="further gates by name, such as agreement.f1.lower >= 0.85"
    )

    @field_validator("require")
    @classmethod
    def _readable(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if name in BUILT_IN:
                raise ValueError(f"{name} is a gate of its own: call this one otherwise")
            requirement.parse(text)
        return value


BUILT_IN = ("licenses", "no_disputed", "no_leaks", "no_planted_errors")
