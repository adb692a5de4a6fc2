"""What the app's plugin does: tags of the vocabulary on one sample or a thousand, reasons, undo."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curate.adapters import fiftyone_edits, fiftyone_rules
from curate.adapters.fiftyone_samples import CONSENSUS

_FILES: Final = Path(__file__).parent / "fiftyone_plugin"
_UNDO: Final = "curate_undo"  # of the dataset's info
_REMEMBERED: Final = 20  # marks that can be taken back
REASONS: Final = ("blurred", "dark", "wrong subject", "private", "not usable")


@dataclass(frozen=True, slots=True)
class Mark:
    """Button of the app that marks images or labels with a decision.

    Attributes:
        name: Of the operator.
        key: Alt and this.
        label: Of the button.
        tag: Before its argument.
        meaning: What a click does.
        argument: What is asked for; None = nothing is.
        required: Whether it must be given.
        labels: It is about selected labels, not samples.
    """

    name: str
    key: str
    label: str
    tag: str
    meaning: str
    argument: str | None = None
    required: bool = False
    labels: bool = False


MARKS: Final = (
    Mark("keep", "K", "Keep", "keep", "Never dropped as a duplicate or for its quality."),
    Mark("drop", "D", "Drop", "drop", "Dropped from the data set, for this reason.", "Reason"),
    Mark("needs_qa", "Q", "Needs QA", "needs-qa", "A person must look; nothing of it is released before."),
    Mark("gold", "G", "Gold", "gold", "A person must look; what people settle on can be a known answer."),
    Mark(
        "not_duplicate", "N", "Not a duplicate", "not-duplicate",
        "Never in one group with the image that it was dropped for.",
    ),
    Mark(
        "relabel", "R", "Relabel", "relabel",
        "The selected labels of consensus or disputed get this category.",
        "Category", required=True, labels=True,
    ),
    Mark(
        "delete_labels", "X", "Delete labels", "delete",
        "There are no such objects as the selected labels.", labels=True,
    ),
)  # fmt: skip


def install(folder: Path) -> None:
    """Put the plugin where FiftyOne looks for plugins, as it is in this version of curate."""
    target = folder / "curate-decisions"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(_FILES, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "operators.py").rename(target / "__init__.py")  # as FiftyOne wants it


def choices(dataset: Any, mark: Mark) -> Sequence[str]:
    """What is offered as argument: reasons, or the categories that objects have."""
    if not mark.labels:
        return REASONS
    return sorted(name for name in dataset.distinct(f"{CONSENSUS}.detections.label") if name)


def chosen(ctx: Any) -> list[str]:
    """The selected samples' ids, or the open one's."""
    ids = list(ctx.selected or ())
    return ids or ([ctx.current_sample] if ctx.current_sample else [])


def count(ctx: Any, mark: Mark) -> str:
    """How many a click would mark, in words."""
    number = len(_labels(ctx)) if mark.labels else len(chosen(ctx))
    return f"{number:,} {'labels' if mark.labels else 'images'} selected."


def apply(ctx: Any, mark: Mark, argument: str) -> str:
    """Give the tag to what is selected and lacks it; what was done, in words."""
    tag = mark.tag + (f":{argument.strip()}" if argument.strip() else "")
    noun = "labels" if mark.labels else "images"
    ids = _labels(ctx) if mark.labels else chosen(ctx)
    if not ids:
        return f"nothing is selected: select {noun} first"
    if mark.labels:
        fresh = _untagged(ctx.dataset, ids, tag)
        if fresh:
            ctx.dataset.select_labels(ids=fresh).tag_labels(tag)
    else:
        view = ctx.dataset.select(ids).match_tags(tag, bool=False)
        fresh = view.values("id")
        if fresh:
            view.tag_samples(tag)
    _remember(ctx.dataset, {"tag": tag, "ids": fresh, "labels": mark.labels})
    return f"{tag}: {len(fresh):,} of {len(ids):,} selected {noun}"


def undo(dataset: Any) -> str:
    """Take the last tag back from what it was given to; what was done, in words."""
    done: list[Mapping[str, Any]] = list(dataset.info.get(_UNDO, []))
    if not done:
        return "nothing to take back"
    last = done.pop()
    if last["labels"] and last["ids"]:
        dataset.select_labels(ids=last["ids"]).untag_labels(last["tag"])
    elif last["ids"]:
        dataset.select(last["ids"]).untag_samples(last["tag"])
    dataset.info[_UNDO] = done
    dataset.save()
    return f"{last['tag']}: taken back from {len(last['ids']):,}"


def why(ctx: Any) -> str:
    """Markdown: why the open or first selected image is here, and what is decided of it."""
    ids = chosen(ctx)
    if not ids:
        first = "**Select images**, or open one: then it stands here why it is shown, and a click decides."
        return "\n\n".join(filter(None, (first, fiftyone_rules.told(ctx.dataset))))
    sample = ctx.dataset[ids[0] if not ctx.current_sample else ctx.current_sample]
    lines = [f"**{(sample['sources'] or [sample['image_id']])[0]}**"]
    lines += [f"- {name}: {value}" for name, value in _facts(ctx.dataset, sample) if value]
    more = f", and {len(ids) - 1:,} more selected" if len(ids) > 1 else ""
    decided = [tag for tag in sample.tags if fiftyone_edits.is_decision(tag)]
    lines.append(f"- decided: {', '.join(decided) or 'nothing yet'}{more}")
    return "\n".join(lines)


def _facts(dataset: Any, sample: Any) -> list[tuple[str, str]]:
    def told(*names: str) -> str:
        return ", ".join(str(sample[name]) for name in names if sample[name] is not None)

    error = sample["label_error"]
    rules = [
        f"{one['then']} ({one['name']})"
        for one in fiftyone_rules.known(dataset)
        if one["name"] in (sample[fiftyone_rules.FIELD] or ())
    ]
    return [
        ("dropped", told("drop_reason", "drop_detail")),
        ("variant of", told("variant_of")),
        ("people look because", told("plan_reason", "plan_detail")),
        ("held for review", told("review")),
        ("people disagree", told("disagreement")),
        ("label error", "" if error is None else f"with probability {error:.2f}"),
        ("rules.yaml would say", ", ".join(rules)),
        ("blur", "" if sample["quality_blur"] is None else f"{sample['quality_blur']:.2f} of 1"),
    ]


def _labels(ctx: Any) -> list[str]:
    fields = fiftyone_edits.EDITABLE
    return [one["label_id"] for one in ctx.selected_labels or () if one["field"] in fields]


def _untagged(dataset: Any, ids: Sequence[str], tag: str) -> list[str]:
    """Ids of the labels that lack the tag.

    An undo takes the tag back from these only, never an earlier decision.
    """
    view = dataset.select_labels(ids=ids)
    found: list[str] = []
    for name in fiftyone_edits.EDITABLE:
        if name not in dataset.get_field_schema():
            continue
        label_ids, tags = view.values([f"{name}.detections.id", f"{name}.detections.tags"])
        for of_sample, tags_of_sample in zip(label_ids, tags, strict=True):  # None = no labels of this field
            pairs = zip(of_sample or (), tags_of_sample or (), strict=True)
            found += [key for key, given in pairs if tag not in (given or ())]
    return found


def _remember(dataset: Any, entry: Mapping[str, Any]) -> None:
    dataset.info[_UNDO] = [*dataset.info.get(_UNDO, []), entry][-_REMEMBERED:]
    dataset.save()
