"""rules.yaml: decisions by conditions on the columns of the images table, counted before they are applied.

Each rule has a `name`, a condition `when` (`curate.table_expression`) and a decision `then`:

    rules:
      - name: blurred phone pictures
        when: quality.blur > 0.6 and source == "phone"
        then: drop:blurry

Columns are those of the images table of dedupe; `source` is the name of the first source of an image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from curate import decision_file, schema, table_expression, tables
from curate.decision_file import Decision
from curate.params.section import Section
from curate.table_expression import Condition, ExpressionError
from curate.yamlfile import load_model

BY: Final = "rule"  # who decided, of lines that a rule wrote; their note is the rule's name
_ALLOWED: Final = ("keep", "drop", "needs-qa", "gold")


class Rule(Section):
    """One rule."""

    name: str = Field(min_length=1, description="stands as the note of each line")
    when: str = Field(description="condition on the columns of the images table")
    then: str = Field(description="keep, drop:REASON, needs-qa or gold")

    @field_validator("then")
    @classmethod
    def _is_a_decision(cls, value: str) -> str:
        kind, _, argument = value.partition(":")
        if kind not in _ALLOWED or (argument and kind != "drop"):
            raise ValueError(f"expected keep, drop, drop:REASON, needs-qa or gold, got {value!r}")
        return value

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, value: str) -> str:
        try:
            table_expression.parse(value)
        except ExpressionError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def condition(self) -> Condition:
        """The condition, read."""
        return table_expression.parse(self.when)

    def decision(self, image_id: str) -> Decision:
        """The line that the rule writes of an image."""
        kind, _, argument = self.then.partition(":")
        return Decision(0, image_id, kind, by=BY, note=self.name, argument=argument)


class Rules(Section):
    """All of rules.yaml."""

    rules: tuple[Rule, ...] = Field((), description="in order; of two about one image both are written")

    @field_validator("rules")
    @classmethod
    def _have_names_of_their_own(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        twice = [name for name, number in Counter(rule.name for rule in value).items() if number > 1]
        if twice:
            raise ValueError(f"two rules are called {twice[0]!r}")
        return value


@dataclass(frozen=True, slots=True)
class Found:
    """What the rules say.

    Attributes:
        matches: image_ids by the name of the rule, in the order of the file.
        decisions: Their lines, the first rule of an image first.
    """

    matches: dict[str, list[str]]
    decisions: list[Decision]


def load(path: Path) -> tuple[Rule, ...]:
    """Read rules.yaml.

    Raises:
        ParamsError: Missing, not YAML, or a rule that makes no sense, with its line.
    """
    return load_model(path, Rules).rules


def find(rules: Sequence[Rule], images: Path) -> Found:
    """Which images each rule is about; those that ingest dropped have nothing to decide.

    Raises:
        ExpressionError: A column that is not there, or kinds that cannot be compared.
        TableError: The table is missing or damaged.
    """
    matches: dict[str, list[str]] = {rule.name: [] for rule in rules}
    for piece in tables.pieces(images, schema.IMAGES):
        known = piece.filter(pc.is_valid(piece["path"]))
        known = known.append_column("source", _source(known["sources"]))
        for rule in rules:
            matches[rule.name] += known["image_id"].filter(rule.condition.mask(known)).to_pylist()
    return Found(matches, [rule.decision(key) for rule in rules for key in matches[rule.name]])


def apply(path: Path, found: Found) -> Counter[str]:
    """Write the lines of rules anew: new ones are added, and those of which no rule speaks any more go.

    What a person said of an image is never contradicted: such a line is left out.

    Args:
        path: decisions.csv.
        found: What the rules say.

    Returns:
        Lines `added`, `removed`, and `left_out` because a person said otherwise.

    Raises:
        InputError: A line of the file makes no sense.
        StorageError: The file cannot be written.
    """
    before = decision_file.load(path) if path.exists() else []
    people = [one for one in before if one.by != BY]
    counts: Counter[str] = Counter()
    lines, known = list(people), {one.key for one in people}
    for one in found.decisions:
        against = decision_file.conflicts([*(mine for mine in people if mine.image == one.image), one])
        if against:
            counts["left_out"] += 1
        elif one.key not in known:
            known.add(one.key)
            lines.append(one)
    old = {replace(one, line=0) for one in before if one.by == BY}
    new = {one for one in lines if one.by == BY}
    counts |= Counter(added=len(new - old), removed=len(old - new))
    decision_file.write(path, lines)
    return counts


def _source(sources: pa.ChunkedArray) -> pa.Array:
    """Name of the first source of each row; null where there is none."""
    firsts = [next(iter(places), None) for places in sources.to_pylist()]
    return pa.array([None if one is None else one.partition("/")[0] for one in firsts], pa.string())
