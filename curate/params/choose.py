"""`qa.choose`: which images are labeled first, by weighted criteria."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from curate.params.section import Section

CRITERIA: Final = ("uncertainty", "diversity", "typicality", "rarity", "disagreement", "similarity")


def _weight(default: float, description: str) -> float:
    weight: float = Field(default, ge=0, description=f"weight of {description}")
    return weight


class ChooseParams(Section):
    """Which images are labeled first, by weighted criteria (docs/plan.md)."""

    budget: float = Field(
        0.0, ge=0, description="tasks that the weights choose, of all rounds together; 0 = none"
    )
    uncertainty: float = _weight(1.0, "what the models are least sure of")
    diversity: float = _weight(0.0, "what is far from all that people look at; needs vectors")
    typicality: float = _weight(0.0, "the middle of crowds that nobody looks at; needs vectors")
    rarity: float = _weight(0.0, "what shows categories that are seldom suggested")
    disagreement: float = _weight(0.0, "what shows categories on which people disagreed in earlier rounds")
    similarity: float = _weight(
        0.0, "what is like the positive and unlike the negative examples; needs vectors"
    )
    positive: tuple[str, ...] = Field(
        (), description="examples of what is wanted: image_ids, beginnings of them, or places, name/path"
    )
    negative: tuple[str, ...] = Field((), description="examples of what is not wanted")
    examples: Path | None = Field(
        None, description="CSV of further examples, columns image and example (positive or negative)"
    )

    @model_validator(mode="after")
    def _can_choose(self) -> ChooseParams:
        if self.budget and not any(getattr(self, name) for name in CRITERIA):
            raise ValueError(f"a budget needs a weight above 0, of {', '.join(CRITERIA)}")
        if self.budget and self.similarity and not (self.positive or self.negative or self.examples):
            raise ValueError("similarity needs examples: positive, negative, or a file in examples")
        if twice := sorted(set(self.positive) & set(self.negative)):
            raise ValueError(f"{twice[0]!r} is a positive and a negative example")
        return self
