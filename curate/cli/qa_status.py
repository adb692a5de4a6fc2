"""What `curate qa status` shows on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from curate.qa.labeling_progress import Labeler, Status

_BLOCKS = " ▁▂▃▄▅▆▇█"
_BAR = 60


def screen(status: Status, title: str, now: datetime) -> RenderableType:
    """Draw the status for a terminal: bars, the table of labelers, the chart of days."""
    parts: list[RenderableType] = [
        Text.assemble((title, "bold"), "  ", (status.url, "dim")),
        Text(""),
        _bar(status),
        Text(_done(status), style="bold"),
        Text(summary(status)),
    ]
    if status.labelers:
        parts += [Text(""), _labelers(status, now)]
    if len(status.days) > 1:
        parts += [Text(""), chart(status)]
    if status.raw_regions:
        parts += [Text(""), Text(raw(status), style="yellow")]
    return Group(*parts)


def plain(status: Status, title: str, now: datetime) -> list[str]:
    """Write the status as lines, for a file or a pipe."""
    lines = [f"{title}  {status.url}", _done(status), summary(status)]
    for one in status.labelers:
        lines.append("  ".join([one.person, *(f"{name} {value}" for name, value in _cells(one, now))]))
    if len(status.days) > 1:
        lines.append(chart(status).plain)
    if status.raw_regions:
        lines.append(raw(status))
    return lines


def summary(status: Status) -> str:
    """Begun, skipped, pace and days to go."""
    pace = "nobody has answered yet" if status.per_day is None else f"{status.per_day:,.1f} answers per day"
    return f"{status.begun:,} begun, {status.skipped:,} skipped; {pace}; {to_go(status)}"


def to_go(status: Status) -> str:
    """How long it still takes."""
    if status.days_to_go is None:
        return "no end in sight at this pace" if status.per_day is not None else "days to go unknown"
    if status.days_to_go == 0:
        return "all done: run `dvc repro`"
    if status.days_to_go < 1:
        return "less than a day to go"
    return f"{status.days_to_go:,.0f} days to go"


def chart(status: Status) -> Text:
    """Answers by day, one character per day."""
    max_count = max(status.days.values()) or 1
    blocks = [_BLOCKS[-(-count * (len(_BLOCKS) - 1) // max_count)] for count in status.days.values()]
    first, last = min(status.days), max(status.days)
    return Text.assemble(
        "answers per day  ", (first[5:], "dim"), " ", ("".join(blocks), "cyan"), " ", (last[5:], "dim"),
        f"  most {max_count:,}",
    )  # fmt: skip


def raw(status: Status) -> str:
    """What the tables cannot hold as objects."""
    reasons = "; ".join(f"{reason}: {number:,}" for reason, number in status.raw_regions.items())
    return f"{sum(status.raw_regions.values()):,} regions kept raw ({reasons})"


def _bar(status: Status) -> RenderableType:
    style = "green" if status.looks_done == status.looks else "cyan"
    line = Table.grid()  # a bar alone would not end its line
    line.add_row(
        ProgressBar(
            total=max(status.looks, 1),
            completed=status.looks_done if status.looks else 1,
            width=_BAR,
            complete_style=style,
            finished_style=style,
        )
    )
    return line


def _done(status: Status) -> str:
    share = status.looks_done / status.looks if status.looks else 1.0
    return (
        f"{share:.0%}  {status.tasks_done:,} of {status.tasks:,} tasks, "
        f"{status.looks_done:,} of {status.looks:,} looks"
    )


def _labelers(status: Status, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("labeler", overflow="fold")
    for name, _ in _cells(status.labelers[0], now):
        table.add_column(name, justify="right")
    for one in status.labelers:
        table.add_row(one.person, *(value for _, value in _cells(one, now)))
    return table


def _cells(one: Labeler, now: datetime) -> list[tuple[str, str]]:
    return [
        ("answers", f"{one.answers:,}"),
        ("skipped", f"{one.skipped:,}"),
        ("begun", f"{one.begun:,}"),
        ("last 24 h", f"{one.today:,}"),
        ("median", "-" if one.median_s is None else f"{one.median_s:,.0f} s"),
        ("last seen", _ago(one.last_at, now)),
    ]


def _ago(at: str | None, now: datetime) -> str:
    if at is None:
        return "-"
    passed = max(now.astimezone(UTC) - datetime.fromisoformat(at), timedelta())
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if passed >= length:
            return f"{passed // length} {unit} ago"
    return "now"
