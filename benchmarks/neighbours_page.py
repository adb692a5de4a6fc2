"""The section of the page on neighbour search, and its charts."""

from __future__ import annotations

from typing import Any

from benchmarks import charts, result
from benchmarks.neighbours import PARTS, PEER_COUNTS, PEER_RADIUS, QUADRATIC, RUNS
from curate.dedupe.search import search_plan, shards

GIB = 2**30
HEAD = """## Neighbour search

All pairs of hashes within a Hamming distance, exactly. Hashes are random, 2% of them made from another by
flipping up to 8 bits; *missed* counts planted pairs within the radius that were not found. Each row is a
process of its own with the hashes in memory; compiled code is loaded before the clock runs. Memory is
the peak of the whole process, hashes, pairs and interpreter included. How the search works and what it
costs at a billion hashes stands in [scale.md](scale.md).

"""


def section(content: dict[str, Any]) -> str:
    """The Markdown of saved figures."""
    parts = content["parts"]
    text = HEAD
    if any(part in parts for part in RUNS):
        text += _growth([run for part in RUNS for run in parts.get(part, [])])
    if "peers" in parts:
        text += _peers(parts["peers"])
    if "wide" in parts:
        rows = [_row(run) for run in parts["wide"]]
        text += "Longer hashes, and bits as uneven as those of perceptual hashes:\n\n" + _table(rows) + "\n"
    text += _notes(parts)
    text += _billion()
    missing = [part for part in PARTS if part not in parts]
    if missing:
        text += f"Not measured yet: {', '.join(missing)}.\n\n"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(content["versions"].items()))
    return f"{text}Versions: {versions}. {result.footer(content)}"


def _growth(runs: list[dict[str, Any]]) -> str:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for run in runs:
        for label, value in (("", run["seconds"]), (", model", None)):
            across, up = series.setdefault(f"within {run['radius']}{label}", ([], []))
            across.append(run["count"])
            cores = max(1.0, run["cpu_s"] / run["seconds"])
            up.append(value if value is not None else run["predicted_core_s"] / cores)
    grown = {name: line for name, line in series.items() if len(line[0]) > 1}
    chart = charts.lines(
        "neighbours", "Seconds to find all pairs", x="hashes", y="seconds", series=grown, log=True
    )
    return _table([_row(run) for run in runs]) + "\n" + (chart + "\n" if grown else "")


def _table(rows: list[list[str]]) -> str:
    header = [
        "hashes",
        "bits",
        "within",
        "pairs",
        "missed",
        "seconds",
        "core seconds",
        "model",
        "GiB",
        "fields",
    ]
    return result.table([header[-1], *header[:-1]], [[row[-1], *row[:-1]] for row in rows], numbers=9)


def _row(run: dict[str, Any]) -> list[str]:
    fields = " ".join(f"{width}:{radius}" for width, radius in run["fields"])
    if len(run["fields"]) > 6:
        fields = f"{len(run['fields'])} fields"
    return [
        f"{run['count']:,}" + (" uneven" if run["uneven"] else ""),
        str(run["bits"]),
        str(run["radius"]),
        f"{run['pairs']:,}",
        str(run["missed"]),
        result.figure(run["seconds"]),
        result.figure(run["cpu_s"]),
        result.figure(run["predicted_core_s"]),
        result.figure(run["peak_bytes"] / GIB),
        fields,
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
        seconds[name] = at[name, large]["seconds"] if measured else at[name, small]["seconds"] * square
        shown = result.figure(seconds[name]) + ("" if measured else " *")
        memory = at[name, large if measured else small]["peak_bytes"] / GIB
        missed = sum(run["missed"] for run in runs if run["name"] == name)
        rows.append(
            [name, result.figure(at[name, small]["seconds"]), shown, result.figure(memory), str(missed)]
        )
    for row, name in zip(rows, names, strict=True):
        row.append(f"{result.figure(seconds[name] / seconds['curate'])} x")
    header = ["search", f"s, {small:,}", f"s, {large:,}", "GiB", "missed", "time of curate"]
    chart = charts.bars(
        "neighbours-peers", f"Seconds, {large:,} hashes within {PEER_RADIUS} bits", names,
        [seconds[name] for name in names], ours=["curate"],
    )  # fmt: skip
    return (
        f"Against others, within {PEER_RADIUS} bits, in one run:\n\n"
        f"{result.table(header, rows, numbers=5)}\n"
        f"\\* Counted, not waited for: {' and '.join(QUADRATIC)} compare all pairs, so the larger set "
        f"takes {(large / small) ** 2:.4g} times as long as the smaller; memory is that of the smaller.\n\n"
        f"{chart}\n"
    )


def _billion() -> str:
    """What the model says of sizes that were not measured."""
    rows = []
    for radius in (2, 4, 6, 8):
        chosen = search_plan.plan(10**9, radius)
        for bits in (0, 4, 6):
            cost = shards.shard_cost(chosen, bits)
            rows.append(
                [
                    str(radius),
                    " ".join(f"{field.width}:{field.radius}" for field in chosen.fields),
                    f"{cost.shards:,}" if bits else "whole",
                    result.figure((cost.core_seconds if bits else chosen.core_seconds) / 3600),
                    result.figure((cost.peak_bytes if bits else chosen.peak_bytes + 8e9) / GIB),
                    result.figure(cost.read_bytes / 1e9) if bits else "8",
                    result.figure(chosen.chance_pairs),
                ]
            )
    header = ["within", "fields", "shards", "core hours", "GiB a worker", "GB read", "chance pairs"]
    return (
        "A billion 64-bit hashes by the cost model, as one search in memory and in shards for an engine's "
        f"workers; not measured:\n\n{result.table(header, rows, numbers=5)}\n"
    )


def _notes(parts: dict[str, Any]) -> str:
    text = ""
    if "delivery" in parts:
        run = parts["delivery"]
        share = 100 * run["added_s"] / run["all_s"]
        text += (
            f"{run['count'] // 100:,} new hashes against {run['count']:,} and among themselves, within "
            f"{run['radius']}: {result.figure(run['added_s'])} s, {result.figure(share)}% of all pairs "
            f"({result.figure(run['all_s'])} s).\n\n"
        )
    if "compile" in parts:
        run = parts["compile"]
        text += (
            f"The first search on a machine compiles for {result.figure(run['first_s'])} s; later processes "
            f"load that code in {result.figure(run['again_s'])} s, numba's import included.\n\n"
        )
    if "model" in parts:
        run = parts["model"]
        errors = sorted(run["predicted_over_measured"])
        constants = ", ".join(
            f"{name.removesuffix('_s')} {result.figure(value * 1e9)}"
            for name, value in run["constants"].items()
        )
        text += (
            f"Constants of the cost model measured here, in ns: {constants}; over {len(errors)} plans its "
            f"prediction is {errors[0]:.2f} to {errors[-1]:.2f} of what was measured.\n\n"
        )
    return text
