"""What scripts and CI read: JSON with every row, and JUnit's XML with a case for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from curate.check.dataset import CLASSES, IMAGES
from curate.check.finding import KINDS, SEVERITIES, Checked, Finding, Row
from curate.errors import InputError

NEVER = "never"
_SHOWN = 3  # rows of a kind in a terminal
_TOLD = 20  # rows of a kind in JUnit's text; JSON has all


def refuse_unknown(fail_on: Sequence[str]) -> None:
    """Refuse names before anything is read.

    Raises:
        InputError: A name that is no severity, no kind, and not `NEVER`.
    """
    known = [*SEVERITIES, NEVER, *KINDS]
    for name in fail_on:
        if name not in known:
            raise InputError(f"--fail-on {name!r} is not known: choose {', '.join(known)}")


def failing(checked: Checked, fail_on: Sequence[str]) -> list[Finding]:
    """The findings that fail a check.

    Args:
        checked: What was found.
        fail_on: Severities, of which all worse ones count too, names of kinds, or `NEVER`.
    """
    levels = [SEVERITIES.index(name) for name in fail_on if name in SEVERITIES]
    worst = SEVERITIES[: max(levels, default=-1) + 1]
    return [one for one in checked.findings if one.kind.severity in worst or one.name in fail_on]


def summary(checked: Checked, failed: Sequence[Finding]) -> Iterator[str]:
    """What a person reads in a terminal: a line for each kind that was found."""
    splits = ", ".join(f"{split} {number:,}" for split, number in checked.splits.items())
    what = "with a class" if checked.format == CLASSES else "objects"
    held = f", {checked.objects:,} {what}" if checked.format != IMAGES else ""
    yield f"check: {checked.images:,} images{held} ({checked.format}{f'; {splits}' if splits else ''})"
    for finding in checked.findings:
        kind = finding.kind
        yield f"{kind.severity:7}  {finding.name}: {len(finding.rows):,} ({kind.title}): {kind.remedy}"
        for row in finding.rows[:_SHOWN]:
            yield f"           {line(row)}"
        if len(finding.rows) > _SHOWN:
            yield f"           and {len(finding.rows) - _SHOWN:,} more"
    counts = checked.counts()
    told = ", ".join(
        f"{number:,} {severity}{'' if number == 1 else 's'}" for severity, number in counts.items()
    )
    yield f"{told}: {'failed' if failed else 'passed'}" if checked.findings else "nothing found: passed"


def as_json(checked: Checked, failed: Sequence[Finding]) -> dict[str, Any]:
    """A document of plain values."""
    return {
        "path": checked.path,
        "format": checked.format,
        "images": checked.images,
        "objects": checked.objects,
        "splits": dict(checked.splits),
        "counts": checked.counts(),
        "looked_for": list(checked.looked_for),
        "failed": [finding.name for finding in failed],
        "findings": [
            {
                "kind": finding.name,
                "severity": finding.kind.severity,
                "count": len(finding.rows),
                "title": finding.kind.title,
                "remedy": finding.kind.remedy,
                "rows": [_row(row) for row in finding.rows],
            }
            for finding in checked.findings
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        "images": list(row.images),
        "splits": list(row.splits),
        "category": row.category,
        "file": "" if row.file is None else str(row.file),
        "line": row.line,
        "entry": row.entry,
        "detail": row.detail,
        "boxes": [{"category": mark.category, "bbox_xyxy": list(mark.box)} for mark in row.marks],
    }
    return {key: value for key, value in values.items() if value}


def as_junit(checked: Checked, failed: Sequence[Finding]) -> str:
    """JUnit's XML: a suite of one case a kind; kinds that this data set cannot have are skipped.

    Source:
        The schema of Jenkins' xUnit plugin (junit-10.xsd), which GitHub's and GitLab's readers follow.
    """
    found = {finding.name: finding for finding in checked.findings}
    skipped = [name for name in KINDS if name not in checked.looked_for and name not in found]
    suite = ET.Element("testsuite", name=f"curate check {checked.path}", errors="0")
    for name, count in (("tests", len(KINDS)), ("failures", len(failed)), ("skipped", len(skipped))):
        suite.set(name, str(count))
    for name, kind in KINDS.items():
        case = ET.SubElement(suite, "testcase", classname=f"curate.check.{kind.severity}", name=name)
        if name in skipped:
            ET.SubElement(case, "skipped", message=f"needs {kind.needs}")
        finding = found.get(name)
        if finding is None:
            continue
        message = f"{kind.title}: {len(finding.rows):,}; {kind.remedy}"
        text = "\n".join(line(row) for row in finding.rows[:_TOLD])
        text += f"\nand {len(finding.rows) - _TOLD:,} more" * (len(finding.rows) > _TOLD)
        if finding in failed:
            ET.SubElement(case, "failure", type=kind.severity, message=_xml(message)).text = _xml(text)
        else:
            ET.SubElement(case, "system-out").text = _xml(f"{message}\n{text}")
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def line(row: Row) -> str:
    """A case in one line: images, place in the label file, what is wrong."""
    parts = [" = ".join(row.images)] if row.images else []
    if row.file is not None:
        parts.append(f"{row.file}{f':{row.line}' if row.line else ''}{f' {row.entry}' if row.entry else ''}")
    return ": ".join([*parts, row.detail] if row.detail else parts)


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold at all."""
    return "".join(
        one
        if one in "\t\n\r" or " " <= one <= "\ud7ff" or "\ue000" <= one <= "\ufffd" or one > "\uffff"
        else "\ufffd"
        for one in text
    )
