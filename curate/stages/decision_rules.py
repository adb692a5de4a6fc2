"""rules.yaml: decisions by conditions on the columns of the images table, counted before they are applied.

Each rule has a `name`, a condition `when` (`curate.table_expression`) and a decision `then`:

    rules:
      - name: blurred phone pictures
        when: quality.blur > 0.6 and source == "phone"
        then: drop:blurry

Columns are those that ingest fills in the images table, as dedupe reads the decisions; `source` is the name
of the first source of an image.
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
from curate.stages import check_decisions, decided_images
from curate.table_expression import Condition, ExpressionError
from curate.yamlfile import load_model

FILE: Final = Path("rules.yaml")
BY: Final = "rule"  # who decided, of lines that a rule wrote; their note is the rule's name
_ALLOWED: Final = ("keep", "drop", "needs-qa", "gold")
_LATER: Final = {  # columns that are empty here: before dedupe, and of images that are kept
    "phash", "dup_group", "duplicate_of", "dup_hamming", "dup_correlation", "dup_relation", "variant_of",
    "drop_reason", "drop_detail", "split",
}  # fmt: skip


class Rule(Section):
    """Rule of rules.yaml: a condition and the decision that follows."""

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
        """The condition, parsed."""
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


def matches(root: Path) -> list[tuple[Rule, list[str]]]:
    """Rules of a project's rules.yaml, each with the image_ids that it is about; none without such a file.

    Raises:
        ParamsError: As `load`.
        ExpressionError: As `find`.
        TableError: As `find`.
    """
    rules = load(root / FILE) if (root / FILE).exists() else ()
    found = find(rules, root / check_decisions.IMAGES) if rules else Found({}, [])
    return [(rule, found.matches[rule.name]) for rule in rules]


def find(rules: Sequence[Rule], images: Path) -> Found:
    """Find the images that each rule is about; those that ingest dropped have nothing to decide.

    Raises:
        ExpressionError: A column that is not there or not filled yet, or kinds that cannot be compared.
        TableError: The table is missing or damaged.
    """
    for rule in rules:
        if later := sorted(_LATER & rule.condition.columns):
            raise ExpressionError(
                f"{rule.when!r}: {later[0]} is not known before dedupe, which reads the decisions: "
                "use columns that ingest fills"
            )
    matches: dict[str, list[str]] = {rule.name: [] for rule in rules}
    for piece in tables.pieces(images, schema.IMAGES):
        known = piece.filter(pc.is_valid(piece["path"]))
        known = known.append_column("source", _source(known["sources"]))
        for rule in rules:
            matches[rule.name] += known["image_id"].filter(rule.condition.mask(known)).to_pylist()
    return Found(matches, [rule.decision(key) for rule in rules for key in matches[rule.name]])


def apply(path: Path, found: Found, images: Path) -> Counter[str]:
    """Write the lines of rules anew: new ones are added, and those of which no rule speaks any more go.

    What a person said of an image is never contradicted: such a line is left out.

    Args:
        path: decisions.csv.
        found: What the rules say.
        images: The table that they were found in; lines of people may name images by a place.

    Returns:
        Lines `added`, `removed`, and `left_out` because a person said otherwise.

    Raises:
        InputError: A line of the file makes no sense, or names no image, or several.
        StorageError: The file cannot be written.
        TableError: The table is missing or damaged.
    """
    before = decision_file.load(path) if path.exists() else []
    people = [one for one in before if one.by != BY]
    counts: Counter[str] = Counter()
    of_images = [one for one in people if one.decision in decision_file.ALONE]
    decided = {
        key: [replace(one, image=key) for one in some]
        for key, some in decided_images.by_image(of_images, path, images).items()
    }
    lines, known = list(people), {one.key for some in decided.values() for one in some}
    for one in found.decisions:
        mine = decided.get(one.image, [])
        if len(decision_file.conflicts([*mine, one])) > len(decision_file.conflicts(mine)):
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
