"""The part of the card on how people worked: only what was measured, each figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from curate.release.markdown import code, escaped, table


class GateFacts(Protocol):
    """What the card says of a gate: `curate.agreement.gates.Gate`."""

    @property
    def name(self) -> str:
        """Name of the gate."""

    @property
    def requirement(self) -> str:
        """What had to hold."""

    @property
    def passed(self) -> bool:
        """Whether the gate holds."""

    @property
    def found(self) -> str:
        """What the gate found, in words."""

    @property
    def allowed(self) -> str | None:
        """Reason for which it may fail, where somebody gave one."""


def gates(checked: Sequence[GateFacts]) -> str:
    """Markdown; an empty string where nothing had to hold."""
    if not checked:
        return ""
    rows = [
        [
            code(gate.name),
            *map(escaped, (gate.requirement, gate.found)),
            "holds" if gate.passed else f"**FAILED**, released all the same: {escaped(str(gate.allowed))}",
        ]
        for gate in checked
    ]
    return (
        "## Gates\n\nWhat had to hold before anything was released:\n\n"
        f"{table(['gate', 'wanted', 'found', ''], rows)}"
    )


def rai(looked: Mapping[int | None, int], *, simulated: bool, accepted: int) -> dict[str, str]:
    """What Croissant's RAI vocabulary asks for, as far as it was counted.

    Args:
        looked: Number of released images by the number of people who looked at them.
        simulated: Whether programs played the labelers.
        accepted: Released images that no human looked at.
    """
    known = sorted((people, count) for people, count in looked.items() if people)
    who = "programs that simulate labelers" if simulated else "people"
    told = {
        "dataAnnotationProtocol": f"Models propose boxes and masks from text prompts; {who} correct them."
    }
    if known:
        told["annotationsPerItem"] = ", ".join(f"{count} images by {people}" for people, count in known)
    if accepted:
        told["machineAnnotationTools"] = f"{accepted} images were accepted without a human."
    return told


def section(metrics: Mapping[str, Any], *, simulated: bool) -> str:
    """Markdown; an empty string where nothing is known.

    Args:
        metrics: The metrics file of the stage quality.
        simulated: Whether programs played the labelers.
    """
    if not metrics:
        return ""
    sentences = [
        _gold(_part(metrics, "gold", "f1")),
        _caught(_part(metrics, "seeded_errors", "all")),
        _saved(_part(metrics, "time", "saved")),
    ]
    lost = _part(metrics, "not_joined").get("all") or 0
    if lost:
        sentences.append(
            f"{lost:,} answers are in none of these figures: what their labelers were shown is not known."
        )
    if simulated:
        sentences.append(
            "The labelers are simulated and their times are made up: these figures show nothing else."
        )
    return "## How well people labelled\n\n" + "".join(f"- {one}\n" for one in sentences)


def consensus(
    ignored: int, to_review: Mapping[str, int], confidence: float | None, with_confidence: int
) -> str:
    """Sentences on how several people's work became one.

    Args:
        ignored: Disputed objects, released as areas to ignore.
        to_review: Released images that somebody must look at again, by reason.
        confidence: Mean of the objects of which it is known.
        with_confidence: How many those are.
    """
    parts = [
        "Where several looked at an image, an object was kept if more than half of them drew it, and left "
        "out if more than half did not. Its category is the most probable one by who named it what, its mask "
        "the shape between two masks or STAPLE's of more, its box that of the mask, or the median of boxes."
    ]
    if ignored:
        parts.append(
            f"On {ignored:,} object{'s' if ignored > 1 else ''} people do not agree: such are in the data as "
            "areas to ignore (`iscrowd` = 1), and count as no object in any figure here."
        )
    else:
        parts.append("Images with an object on which people do not agree are not released.")
    if to_review:
        reasons = ", ".join(f"{count:,} `{reason}`" for reason, count in sorted(to_review.items()))
        parts.append(
            f"{sum(to_review.values()):,} released images should be looked at again ({reasons}): the column "
            "`review` marks them."
        )
    if confidence is not None:
        parts.append(
            f"The mean confidence of {with_confidence:,} objects is {confidence:.3f}: the probability that "
            "an object is there and has that name, estimated from how people who looked at the same images "
            "agree. Errors that they share are not in it. Of an image that one person looked at it is "
            "assumed, not measured, and `agreement` is that person alone. `confidence` and `made_from` of "
            "each object hold it and the annotations behind it."
        )
    return " ".join(parts)


def adjudication(decided: int, objects: int, agreement: Mapping[str, Any], labelers: str) -> str:
    """A paragraph on images that a senior labeler decided; empty where there are none.

    Args:
        decided: Released images that were decided so.
        objects: On these images.
        agreement: The metrics file of the stage agreement.
        labelers: Who annotated: "people" or "simulated".
    """
    if not decided:
        return ""
    people = _part(agreement, "adjudication").get("people")
    kind = "simulated senior labeler" if labelers == "simulated" else "senior labeler"
    who = f"{people or 'a'} {kind}{'s' if (people or 1) > 1 else ''}"
    return (
        f"\nOn {decided:,} released image{'s' if decided > 1 else ''} with {objects:,} "
        f"object{'' if objects == 1 else 's'} people did not agree, and {who} "
        "decided, seeing everybody's drawings and the reason (adjudication). The column `decided` marks "
        "them; their objects have no confidence, since nobody else's work says how probable they are.\n"
    )


def attributes(counts: Mapping[str, Mapping[str, int]]) -> str:
    """A table of what people said of objects; empty where they said nothing."""
    if not counts:
        return ""
    rows = [
        [
            code(question),
            ", ".join(f"{escaped(answer)} {number:,}" for answer, number in sorted(answers.items())),
        ]
        for question, answers in counts.items()
    ]
    return (
        "\nWhat people said of objects (`objects.attributes`), settled as categories are:\n\n"
        f"{table(['question', 'objects by answer'], rows)}"
    )


def _gold(f1: Mapping[str, Any]) -> str:
    if f1.get("value") is None:
        return "No labeler was scored against known answers."
    return (
        f"Against known answers, hidden among the tasks: F1 {f1['value']:.3f}{_ends(f1, '{:.3f}')} "
        f"on {f1['n']:,} images."
    )


def _caught(caught: Mapping[str, Any]) -> str:
    if caught.get("value") is None:
        return "No errors were planted, so how many wrong proposals slip through is not known."
    return (
        f"Of {caught['n']:,} looks at proposals that were made wrong on purpose, "
        f"{caught['value']:.0%}{_ends(caught, '{:.0%}')} were put right."
    )


def _saved(saved: Mapping[str, Any]) -> str:
    if saved.get("value") is None or saved.get("low") is None:
        why = f" ({saved['reason']})" if saved.get("reason") else ""
        return f"Whether the proposals saved time is not known{why}."
    return (
        f"Time saved by the proposals: {saved['value']:.0%}{_ends(saved, '{:.0%}')}, from {saved['n']:,} "
        "images, against a random control arm without proposals, adjusted for labeler and objects per image."
    )


def _ends(figure: Mapping[str, Any], form: str) -> str:
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return f" (no interval: {figure.get('reason') or 'too little data'})"
    return f" (95% interval {form.format(low)} to {form.format(high)})"


def _part(metrics: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    current: Any = metrics
    for name in names:
        current = current.get(name) if isinstance(current, Mapping) else None
    return current if isinstance(current, Mapping) else {}
