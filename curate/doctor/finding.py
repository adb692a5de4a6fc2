"""One line of `curate doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from curate.errors import CurateError

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and what was found.

    Attributes:
        name: What was looked at.
        state: broken = the project needs it and cannot have it; note = something lacks that it does not need.
        detail: What was found.
        remedy: What to do; empty where there is nothing to do, or `detail` says it.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""

    def line(self) -> str:
        """State, name, detail and remedy."""
        return f"{self.state:6}  {self.name}: {self.detail}{f'; {self.remedy}' if self.remedy else ''}"


def tried(name: str, look: Callable[[], str], *, needed: bool = True) -> Finding:
    """The detail is what `look` returns, or the `CurateError` that it raises, which makes the state."""
    try:
        return Finding(name, "ok", look())
    except CurateError as error:
        return Finding(name, "broken" if needed else "note", str(error))
