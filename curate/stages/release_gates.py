"""The gates of a release: what must hold of its images, and of the figures of agreement."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import tables
from curate.agreement import gates
from curate.agreement.consensus import DISPUTES
from curate.agreement.gates import Gate
from curate.errors import ReleaseError
from curate.params import GatesParams
from curate.params.requirement import parse
from curate.release.release_content import Content

_UNSETTLED = ("unreadable", "not_joined", "skipped", *DISPUTES)


def of_content(params: GatesParams, content: Content, refuse_leaks: Callable[[], object]) -> list[Gate]:
    """The built-in gates that are on.

    Args:
        params: The section `gates`.
        content: Images and objects of the release.
        refuse_leaks: Raises `ReleaseError` where a picture stands in two splits.
    """
    built_in: list[tuple[bool, Callable[[], Gate]]] = [
        (params.licenses, lambda: _licenses(content)),
        (params.no_disputed, lambda: _no_disputed(content)),
        (params.no_leaks, lambda: _no_leaks(refuse_leaks)),
        (params.no_planted_errors, lambda: _no_planted_errors(content)),
    ]
    return [gate() for on, gate in built_in if on]


def of_figures(params: GatesParams, figures: Path, agreement: Mapping[str, Any]) -> list[Gate]:
    """The gates of `gates.require`.

    Args:
        params: The section `gates`.
        figures: Table of the stage agreement.
        agreement: Its metrics.

    Raises:
        TableError: The table is missing or damaged.
    """
    if not params.require:
        return []
    known = gates.read_figures(figures)
    several = int(agreement.get("counts", {}).get("seen_by_several") or 0)
    return [
        gates.check(name, parse(text), known, overlap_images=several) for name, text in params.require.items()
    ]


def decide(found: Sequence[Gate], allowed: Mapping[str, str], path: Path) -> list[Gate]:
    """Write what holds and what does not; refuse unless everything that fails may.

    Args:
        found: All gates.
        allowed: Why a gate may fail, by name.
        path: gates.json.

    Returns:
        The gates, with why those that fail may.

    Raises:
        ReleaseError: A gate fails; with all that do, and what would help. Or a name that is no gate.
        StorageError: The file cannot be written.
    """
    names = {gate.name for gate in found}
    for name in allowed:
        if name not in names:
            raise ReleaseError(
                f"release.allow_failed_gates names {name}, which is no gate that is on: "
                f"those are {', '.join(sorted(names))}"
            )
    whole = [gate if gate.passed else replace(gate, allowed=allowed.get(gate.name)) for gate in found]
    with tables.replacing(path) as partial:
        rows = [asdict(gate) for gate in whole]
        partial.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    failed = [gate for gate in whole if not gate.passed and gate.allowed is None]
    if failed:
        told = "; ".join(
            f"{gate.name}: {gate.found}, wanted {gate.requirement} ({gate.help})" for gate in failed
        )
        raise ReleaseError(
            f"{len(failed)} of {len(whole)} gates failed, nothing was released: {told}. To release all the "
            f"same, write release.allow_failed_gates: {{{failed[0].name}: why}} into params.yaml; the card "
            "will state it"
        )
    return whole


def _licenses(content: Content) -> Gate:
    unknown = content.images["license"].null_count
    help_ = "name the source's license in sources.yaml" if unknown else ""
    return _gate("licenses", "the license of every image is known", unknown, "without license", help_)


def _no_disputed(content: Content) -> Gate:
    """Images under review for a dispute are fine where the disputed object is an area to ignore."""
    ignored = content.objects.filter(pc.equal(content.objects["outcome"], "disputed"))["image_id"]
    marked = pc.is_in(content.images["review"], value_set=pa.array(_UNSETTLED))
    covered = pc.is_in(content.images["image_id"], value_set=ignored.combine_chunks())
    inside = pc.sum(pc.and_(marked, pc.invert(covered))).as_py() or 0
    help_ = "run dvc repro agreement: its table of images and its consensus do not fit" if inside else ""
    return _gate("no_disputed", "no disputed or unreadable image is inside", inside, "unsettled", help_)


def _no_planted_errors(content: Content) -> Gate:
    inside = pc.sum(pc.equal(content.images["review"], "planted_error")).as_py() or 0
    help_ = "run dvc repro agreement: its table of images and its consensus do not fit" if inside else ""
    return _gate("no_planted_errors", "no planted error is inside", inside, "with a planted error", help_)


def _no_leaks(refuse_leaks: Callable[[], object]) -> Gate:
    wanted = "no picture stands in two splits"
    try:
        refuse_leaks()
    except ReleaseError as error:
        return Gate("no_leaks", wanted, False, str(error), "see the message")
    return Gate("no_leaks", wanted, True, "none does")


def _gate(name: str, wanted: str, count: int, what: str, help_: str) -> Gate:
    found = f"{count:,} images {what}" if count else "all hold"
    return Gate(name, wanted, count == 0, found, help_)
