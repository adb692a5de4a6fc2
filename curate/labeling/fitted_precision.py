"""What fitted thresholds are known to keep: the record `fitted` in taxonomy.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from curate.errors import ParamsError
from curate.records import Category

_COMMENT = "# By `curate thresholds fit --write`: what the thresholds are known to keep. Edit nothing here."
_ROUNDING = 1e-6


class Promise(BaseModel):
    """What `curate thresholds fit` promised, and of what.

    Attributes:
        precision: Least share of suggestions that are right from the thresholds on.
        confidence: Probability that the promise holds.
        together: The confidence holds for all categories at once, not for each.
        model_versions: Of the suggestions that people had judged.
        thresholds: By category; those without a fit are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    together: bool
    model_versions: tuple[str, ...]
    thresholds: dict[str, float]

    def made_for(self, version: str) -> bool:
        """Whether suggestions of this model were judged; the one that draws masks counts where both name one.

        Args:
            version: `model_version` of suggestions.
        """
        return any(
            known == version or known.startswith(f"{version}+") or version.startswith(f"{known}+")
            for known in self.model_versions
        )

    def holds(self, category: Category) -> bool:
        """Whether the promise is about suggestions of this category, as its threshold stands now.

        Raises:
            ParamsError: Its threshold was lowered since.
        """
        fitted = self.thresholds.get(category.name)
        if fitted is not None and category.threshold < fitted - _ROUNDING:
            raise ParamsError(
                f"category {category.name!r} has the threshold {category.threshold:g}, and {fitted:g} was "
                "fitted: run `curate thresholds fit --write` again"
            )
        return fitted is not None


def written(text: str, promise: Promise | None, path: Path) -> str:
    """The text of taxonomy.yaml with this record at its end in place of an earlier one; None = with none.

    Raises:
        ParamsError: The file is not written as one block a key, so that nothing can be added.
    """
    kept = _without(text)
    if promise is not None:
        record = yaml.safe_dump(
            {"fitted": promise.model_dump(mode="json")}, sort_keys=False, allow_unicode=True, width=100
        )
        kept = f"{kept.rstrip()}\n{_COMMENT}\n{record}"
    expected = {key: value for key, value in _content(text).items() if key != "fitted"}
    if promise is not None:
        expected["fitted"] = promise.model_dump(mode="json")
    if _content(kept) != expected:
        raise ParamsError(f"{path}: the record of the fit cannot be added: write `categories:` as a block")
    return kept


def _without(text: str) -> str:
    """The text without an earlier record: its comment, its key, and the indented lines below."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.startswith("fitted:"):
            inside = True
            if lines and lines[-1].rstrip() == _COMMENT:
                lines.pop()
        elif inside and not line.startswith((" ", "-")) and line.strip():
            inside = False
        if not inside:
            lines.append(line)
    return "".join(lines)


def _content(text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def models_of(versions: Sequence[str | None]) -> tuple[str, ...]:
    """Model versions in order, each once."""
    return tuple(sorted({version for version in versions if version is not None}))
