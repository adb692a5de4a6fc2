"""What changed between two taxonomies, and what each change makes necessary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curate.records import Category

Kind = Literal[
    "added", "removed", "renamed", "prompts", "threshold", "color", "description", "title", "parent"
]

_NECESSARY: dict[Kind, str] = {
    "added": "dvc repro: autolabel asks for it; images that people have looked at were not searched for it",
    "removed": "curate taxonomy migrate with `merge` or `split`, or delete the work of people on it",
    "renamed": "curate taxonomy migrate with `rename`, before the next dvc repro",
    "prompts": "dvc repro: autolabel asks anew; fit the threshold again (curate thresholds fit)",
    "threshold": "dvc repro: autolabel suggests by the new one; what people drew stays",
    "color": "dvc repro: views and the labelling page are drawn anew; no row changes",
    "description": "dvc repro: labelers and the card read it; look again at what was labelled by the old one",
    "title": "dvc repro: labelers and the card read it; no row changes",
    "parent": "nothing: no row holds the parent",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Difference between two taxonomies.

    Attributes:
        category_id: By which the two sides belong together.
        name: Of the category in the new taxonomy; of the old one where it was removed.
        kind: What differs.
        before: As text; "" where there was nothing.
        after: As text; "" where there is nothing.
    """

    category_id: int
    name: str
    kind: Kind
    before: str
    after: str

    @property
    def necessary(self) -> str:
        """What the change makes necessary."""
        return _NECESSARY[self.kind]

    def line(self) -> str:
        """Say the change in a line: "3 parking_sign: threshold 0.2 -> 0.25; dvc repro: ..."."""
        what = f"{self.kind} {self.before} -> {self.after}".replace("  ", " ")
        if self.kind in ("added", "removed"):
            what = self.kind
        return f"{self.category_id} {self.name}: {what}; {self.necessary}"


def compare(old: Sequence[Category], new: Sequence[Category]) -> list[Change]:
    """Every difference, by id, then in the order of `Kind`.

    Categories with one id are one category, whatever their names: a category whose id and name both changed
    was removed and added.
    """
    before = {category.category_id: category for category in old}
    after = {category.category_id: category for category in new}
    changes = []
    for number in sorted(before.keys() | after.keys()):
        a, b = before.get(number), after.get(number)
        if a is None or b is None:
            changes += [Change(number, c.name, "removed", c.name, "") for c in (a,) if c is not None]
            changes += [Change(number, c.name, "added", "", c.name) for c in (b,) if c is not None]
        else:
            changes += [
                Change(number, b.name, kind, was, now)
                for (kind, was), (_, now) in zip(_texts(a), _texts(b), strict=True)
                if was != now
            ]
    return changes


def _texts(category: Category) -> tuple[tuple[Kind, str], ...]:
    return (
        ("renamed", category.name),
        ("prompts", str(list(category.prompts))),
        ("threshold", f"{category.threshold:g}"),
        ("color", category.color),
        ("description", repr(category.description)),
        ("title", repr(category.title)),
        ("parent", category.parent or "none"),
    )
