"""The part of the card on how people worked: only what was measured, each figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
        "images, against a random control arm without proposals, adjusted for labeler and objects an image."
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
