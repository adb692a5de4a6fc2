"""A requirement on a figure, as params.yaml writes it: a bound on the near end of its interval."""

from __future__ import annotations

import re
from dataclasses import dataclass

Key = tuple[str, str, str]  # name of the figure, and its slice
_FORM = re.compile(
    r"agreement\.(?P<figure>[\w@.]+?)(\[(?P<by>category|annotator|pair|size|attribute)=(?P<name>[^\]]+)\])?"
    r"\.(?P<end>lower|upper)\s*(?P<sign>>=|<=)\s*(?P<bound>-?\d+(\.\d+)?)"
)
_ENDS = {">=": "lower", "<=": "upper"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on one end of one figure's interval.

    Attributes:
        text: As it was written.
        key: The figure and its slice.
        at_least: Whether the lower end must be at least the bound, or the upper end at most.
        bound: The bound.
    """

    text: str
    key: Key
    at_least: bool
    bound: float


def parse(text: str) -> Requirement:
    """Read a requirement such as `agreement.f1[category=stop_sign].lower >= 0.85`.

    Args:
        text: `agreement.`, a figure of docs/agreement.md, where wanted a slice in brackets (category,
            annotator, pair, size, or attribute such as `attribute=occluded=yes`), the end of its interval and
            the bound. What must be large is asked of the lower end, what must be small of the upper one.

    Raises:
        ValueError: Another form, or a bound on the far end.

    Examples:
        >>> parse("agreement.f1[size=small].lower >= 0.7").key
        ('f1', 'size', 'small')
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text!r} is no requirement; expected such as agreement.f1.lower >= 0.85 or "
            "agreement.f1[category=car].lower >= 0.8"
        )
    if _ENDS[found["sign"]] != found["end"]:
        raise ValueError(f"{text!r} bounds the far end of the interval: >= goes with lower, <= with upper")
    key = (found["figure"], found["by"] or "all", found["name"] or "")
    return Requirement(text.strip(), key, found["sign"] == ">=", float(found["bound"]))
