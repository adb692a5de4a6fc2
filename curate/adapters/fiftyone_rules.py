"""Rules of rules.yaml in the app: which images each is about, counted before anything is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

FIELD: Final = "rules"  # of each sample: names of the rules that are about it
_RULES: Final = "curate_rules"  # of the dataset's info
_VIEW: Final = "rule: "  # before the name of a rule: its saved view


@dataclass(frozen=True, slots=True)
class RuleMatches:
    """Rule of rules.yaml with the images that it matches.

    Attributes:
        name: Of the rule; no two have the same.
        when: Its condition.
        then: The decision that it would write, such as "drop:blurry".
        images: image_ids that it is about.
    """

    name: str
    when: str
    then: str
    images: Sequence[str]


def by_image(rules: Sequence[RuleMatches]) -> dict[str, list[str]]:
    """Names of the rules about each image.

    Examples:
        >>> by_image([RuleMatches("dark", "brightness < 30", "drop:dark", ["a"])])
        {'a': ['dark']}
    """
    found: dict[str, list[str]] = {}
    for rule in rules:
        for key in rule.images:
            found.setdefault(key, []).append(rule.name)
    return found


def remember(dataset: Any, rules: Sequence[RuleMatches]) -> bool:
    """Let the panel know the rules, and drop views of those that are gone; whether something is new."""
    told = [
        {"name": one.name, "when": one.when, "then": one.then, "images": len(one.images)} for one in rules
    ]
    if dataset.info.get(_RULES, []) == told:
        return False
    dataset.info[_RULES] = told
    dataset.save()
    wanted = {view_name(one.name) for one in rules}
    for name in dataset.list_saved_views():
        if name.startswith(_VIEW) and name not in wanted:
            dataset.delete_saved_view(name)
    return True


def view_name(rule: str) -> str:
    """The saved view of a rule."""
    return _VIEW + rule


def known(dataset: Any) -> Sequence[Mapping[str, Any]]:
    """`name`, `when`, `then` and number of `images` of each rule, as the last sync found them."""
    rules: Sequence[Mapping[str, Any]] = dataset.info.get(_RULES, [])
    return rules


def told(dataset: Any) -> str:
    """Markdown: each rule with its count; empty where there are none."""
    rules = known(dataset)
    lines = [f"- {one['images']:,}: **{one['then']}** {one['name']} (`{one['when']}`)" for one in rules]
    head = "**rules.yaml**, counted and not applied: `curate decisions rules --apply` writes the lines"
    return "\n".join([head, *lines]) if lines else ""
