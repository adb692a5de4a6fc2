"""The section of the page on neighbor search, and its charts."""

from __future__ import annotations

from typing import Any

from benchmarks import charts, result
from benchmarks.neighbor_sizes import PARTS, PEER_COUNTS, PEER_RADIUS, QUADRATIC, RUNS

GIB = 2**30
HEAD = """## Neighbor search

All pairs of hashes within a Hamming distance, exactly. Hashes are random, 2% of them made from another by
flipping up to 8 bits; *missed* counts planted pairs within the radius that were not found. Each row is a
process of its own with the hashes in memory; compiled code is loaded before the clock runs. Memory is
the peak of the whole process, hashes, pairs and interpreter included. Bands are width and radius of the
bits that hashes are sorted by; how the search works stands in [scale.md](scale.md). Seconds are of the wall
clock, which other programs on the machine lengthen; core seconds are what to compare, also with peers of one
thread.

"""


def section(content: dict[str, Any]) -> str:
    """The Markdown of saved figures."""
    parts = content["parts"]
    text = HEAD
    if any(part in parts for part in RUNS):
        text += _growth([run for part in RUNS for run in parts.get(part, [])])
    if "peers" in parts:
        text += _peers(parts["peers"])
    if "uneven" in parts:
        rows = [_row(run) for run in parts["uneven"]]
        text += "Bits as uneven as those of perceptual hashes:\n\n" + _table(rows) + "\n"
    text += _notes(parts)
    missing = [part for part in PARTS if part not in parts]
    if missing:
        text += f"Not measured yet: {', '.join(missing)}.\n\n"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(content["versions"].items()))
    return f"{text}Versions: {versions}. {result.footer(content)}"


def _growth(runs: list[dict[str, Any]]) -> str:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for run in runs:
        across, up = series.setdefault(f"within {run['radius']}", ([], []))
        across.append(run["count"])
        up.append(run["cpu_s"])
    grown = {name: line for name, line in series.items() if len(line[0]) > 1}
    text = _table([_row(run) for run in runs]) + "\n"
    if grown:
        text += charts.lines(
            "neighbors",
            "Core seconds to find all pairs",
            x="hashes",
            y="core seconds",
            series=grown,
            log=True,
        )
        text += "\n"
    return text


def _table(rows: list[list[str]]) -> str:
    header = ["bands", "hashes", "within", "pairs", "missed", "seconds", "core seconds", "GiB"]
    return result.table(header, rows, numbers=7)


def _row(run: dict[str, Any]) -> list[str]:
    return [
        " ".join(f"{width}:{radius}" for width, radius in run["bands"]),
        f"{run['count']:,}" + (" uneven" if run["uneven"] else ""),
        str(run["radius"]),
        f"{run['pairs']:,}",
        str(run["missed"]),
        result.figure(run["seconds"]),
        result.figure(run["cpu_s"]),
        result.figure(run["peak_bytes"] / GIB),
    ]


def _peers(runs: list[dict[str, Any]]) -> str:
    small, large = PEER_COUNTS
    at = {(run["name"], run["count"]): run for run in runs}
    names = list(dict.fromkeys(run["name"] for run in runs))
    seconds: dict[str, float] = {}
    rows = []
    for name in names:
        measured = (name, large) in at
        square = (large / small) ** 2
        seconds[name] = at[name, large]["cpu_s"] if measured else at[name, small]["cpu_s"] * square
        shown = result.figure(seconds[name]) + ("" if measured else " *")
        memory = at[name, large if measured else small]["peak_bytes"] / GIB
        missed = sum(run["missed"] for run in runs if run["name"] == name)
        rows.append(
            [name, result.figure(at[name, small]["cpu_s"]), shown, result.figure(memory), str(missed)]
        )
    for row, name in zip(rows, names, strict=True):
        row.append(f"{result.figure(seconds[name] / seconds['curate'])} x")
    header = ["search", f"core s, {small:,}", f"core s, {large:,}", "GiB", "missed", "of curate"]
    chart = charts.bars(
        "neighbors-peers", f"Core seconds, {large:,} hashes within {PEER_RADIUS} bits", names,
        [seconds[name] for name in names], ours=["curate"],
    )  # fmt: skip
    return (
        f"Against others, within {PEER_RADIUS} bits, in one run:\n\n"
        f"{result.table(header, rows, numbers=5)}\n"
        f"\\* Counted, not waited for: {' and '.join(QUADRATIC)} compare all pairs, so the larger set "
        f"takes {(large / small) ** 2:.4g} times as long as the smaller; memory is that of the smaller.\n\n"
        f"{chart}\n"
    )


def _notes(parts: dict[str, Any]) -> str:
    text = ""
    if "delivery" in parts:
        run = parts["delivery"]
        share = 100 * run["added_s"] / run["all_s"]
        text += (
            f"{run['count'] // 100:,} new hashes against {run['count']:,} and among themselves, within "
            f"{run['radius']}: {result.figure(run['added_s'])} core seconds, {result.figure(share)}% of "
            f"all pairs ({result.figure(run['all_s'])}).\n\n"
        )
    if "compile" in parts:
        run = parts["compile"]
        text += (
            f"The first search on a machine compiles for {result.figure(run['first_s'])} s; later processes "
            f"load that code in {result.figure(run['again_s'])} s, numba's import included.\n\n"
        )
    return text
