"""What people did to a sample in the app: tags of the vocabulary, and labels that are not as written."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from curate import decision_file
from curate.adapters.fiftyone_samples import CONSENSUS, DISPUTED, SampleDraft
from curate.decision_file import Decision

EDITABLE: Final = (CONSENSUS, DISPUTED)  # label fields whose edits are decisions
SAMPLE_TAGS: Final = ("drop", "keep", "needs-qa", "gold", "not-duplicate")
LABEL_TAGS: Final = ("delete", "relabel")
Pairs = Mapping[str, Collection[str]]  # image_ids by image_id
_SEPARATOR: Final = ":"  # between a tag and its argument
_GRID: Final = 1e4  # shares of the image are compared to a ten-thousandth


@dataclass(frozen=True, slots=True)
class Found:
    """What a sample says.

    Attributes:
        tags: Decisions by its tags, and by tags of its labels.
        edits: Decisions by labels that were changed, deleted or drawn.
        problems: What cannot be a decision, in words.
        drawn: Keys of drawn labels by label id.
    """

    tags: tuple[Decision, ...]
    edits: tuple[Decision, ...]
    problems: tuple[str, ...]
    drawn: Mapping[str, tuple[str, ...]]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision that was found, those of tags first."""
        return (*self.tags, *self.edits)


def fingerprint(label: str, box: Iterable[float]) -> str:
    """Twelve hex digits that change with the category and the box (x, y, width, height as shares)."""
    corners = " ".join(str(round(value * _GRID)) for value in box)
    return hashlib.sha256(f"{label}\n{corners}".encode()).hexdigest()[:12]


def synced_ids(draft: SampleDraft) -> list[str]:
    """annotation_ids of the labels that people may edit, as "field id"."""
    return [f"{name} {row.annotation_id}" for name in EDITABLE for row in draft.labels.get(name, ())]


def is_decision(tag: str) -> bool:
    """Whether the tag of a sample is of the vocabulary."""
    return tag.partition(_SEPARATOR)[0] in SAMPLE_TAGS


def of_sample(
    sample: Any, separated: Pairs = MappingProxyType({}), spoken: Pairs = MappingProxyType({})
) -> Found:
    """Every decision that a sample holds: by tags, by tags of labels, and by edited labels.

    Args:
        sample: Of the dataset.
        separated: By image_id, from which images lines `different` part it: its tag has worked.
        spoken: By image_id, of which images its tag said so when it was pulled: it says so of no other.
    """
    decisions, problems = _of_tags(sample, separated, spoken)
    labels = list(_labels(sample))
    for field, one in labels:
        for tag in one.tags or ():
            name, _, argument = tag.partition(_SEPARATOR)
            if name not in LABEL_TAGS:
                continue
            if not _id(one) or field not in EDITABLE or (name == "relabel") != bool(argument):
                problems.append(
                    f"label tag {tag!r} of a label in {field}: expected delete or relabel:CATEGORY"
                )
                continue
            decisions.append(_of_label(sample, one, name, argument))
    drawn = {
        str(one.id): _of_label(sample, one, "add", one.label).key
        for field, one in labels
        if field in EDITABLE and _id(one) is None
    }
    return Found(tuple(decisions), tuple(of_labels(sample)), tuple(problems), drawn)


def of_labels(sample: Any) -> list[Decision]:
    """Labels that were changed, deleted or drawn since they were written."""
    found, seen = [], set()
    for field, one in _labels(sample):
        if field not in EDITABLE:
            continue
        key = _id(one)
        seen.add(f"{field} {key}")
        if key is None:
            found.append(_of_label(sample, one, "add", one.label))
        elif one.synced != fingerprint(one.label, one.bounding_box):
            found.append(_of_label(sample, one, "edit", one.label))
    gone = [text for text in sample["curate_labels"] or () if text not in seen]
    for text in gone:
        key = text.partition(" ")[2]
        found.append(Decision(0, sample["image_id"], "delete", annotation=key, when=_when(sample)))
    return found


def tag_of(one: Decision) -> str:
    """The tag of a sample that says the same."""
    name = "not-duplicate" if one.decision == "different" else one.decision
    return name + (_SEPARATOR + one.argument if one.argument else "")


def untag(sample: Any, one: Decision) -> None:
    """Take the tag that says the same from a label of the sample, if there is one."""
    for field, label in _labels(sample):
        if field in EDITABLE and _id(label) == one.annotation:
            label.tags = [tag for tag in label.tags if tag != tag_of(one)]


def _of_tags(sample: Any, separated: Pairs, spoken: Pairs) -> tuple[list[Decision], list[str]]:
    decisions, problems = [], []
    parted, differing = (pairs.get(sample["image_id"], ()) for pairs in (separated, spoken))
    for tag in sample.tags or ():
        name, _, argument = tag.partition(_SEPARATOR)
        if name not in SAMPLE_TAGS:
            continue
        if argument and name != "drop":
            problems.append(f"tag {tag!r}: {name} takes no argument")
        elif name == "not-duplicate":
            other = sample["duplicate_of"] or sample["variant_of"]
            if other is None and parted:
                continue
            if other is None:
                problems.append(f"tag {tag!r}: the image is no duplicate or variant of another")
            elif differing and other not in {*differing, *parted}:
                problems.append(
                    f"tag {tag!r}: it says different from {min(differing)[:12]} already; of {other[:12]}, "
                    "write the line by hand"
                )
            else:
                decisions.append(_of_image(sample, "different", other=other))
        else:
            decisions.append(_of_image(sample, name, argument=argument))
    return decisions, [f"image {sample['image_id'][:12]}: {problem}" for problem in problems]


def _of_image(sample: Any, decision: str, **more: str) -> Decision:
    return Decision(0, sample["image_id"], decision, when=_when(sample), **more)


def _of_label(sample: Any, one: Any, decision: str, argument: str | None) -> Decision:
    width, height = sample.metadata.width, sample.metadata.height
    x, y, wide, tall = one.bounding_box
    box = (x * width, y * height, (x + wide) * width, (y + tall) * height)
    return Decision(
        0,
        sample["image_id"],
        decision,
        annotation=_id(one) or "",
        argument=argument or "",
        box=decision_file.box_text(box),
        when=_when(sample),
    )


def _labels(sample: Any) -> Iterable[tuple[str, Any]]:
    for field in sample.field_names:
        value = sample[field]
        if getattr(value, "detections", None) is not None:
            yield from ((field, one) for one in value.detections)


def _id(one: Any) -> str | None:
    return one["annotation_id"] if one.has_field("annotation_id") else None


def _when(sample: Any) -> str:
    when: str = sample.last_modified_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return when
