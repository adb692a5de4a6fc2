"""What all comparisons share: the places of results, the machine, targets, and how a table is written."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from curate import fingerprint, system

ROOT = Path(__file__).parents[1]
# A quick run keeps its figures out of the committed ones.
RESULTS = Path(os.environ.get("BENCHMARKS_RESULTS", Path(__file__).parent / "results"))
IMAGES = Path(os.environ.get("BENCHMARKS_IMAGES", ROOT / "docs/images"))  # charts
PAGE = Path(os.environ.get("BENCHMARKS_PAGE", ROOT / "docs/benchmarks.md"))
CACHE = ROOT / ".cache/benchmarks"  # generated corpora, kept between runs


def quick() -> bool:
    """Whether sizes must be so small that everything is only seen to run (`python -m benchmarks --quick`)."""
    return os.environ.get("BENCHMARKS_QUICK") == "1"


@dataclass(frozen=True, slots=True)
class Target:
    """One promise and what was measured.

    Attributes:
        what: Such as "hash from disk against imagehash".
        wanted: The bound, in `unit`.
        measured: None = not measurable here; `note` says why.
        unit: Such as "x", "s", "%".
        at_most: Whether less is better.
        note: What a reader must know.
    """

    what: str
    wanted: float
    measured: float | None
    unit: str
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where nothing was measured."""
        if self.measured is None:
            return None
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def row(self) -> list[str]:
        """What, target, measured, met."""
        sign = "at most" if self.at_most else "at least"
        shown = None if self.measured is None else figure(self.measured)
        if shown == figure(self.wanted) and not self.met:
            shown = f"{self.measured:.4g}"  # a near miss must not look like a hit
        measured = "not measured" if shown is None else f"{shown} {self.unit}"
        verdict = {True: "yes", False: "**no**", None: "-"}[self.met]
        return [
            self.what,
            f"{sign} {figure(self.wanted)} {self.unit}",
            measured,
            verdict + (f" ({self.note})" if self.note else ""),
        ]


def save(name: str, content: dict[str, Any], *, command: str, targets: Sequence[Target] = ()) -> None:
    """Write results/<name>.json with machine, commit, command and targets beside the figures."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    whole = {
        "name": name,
        "command": command,
        "machine": machine(),
        "commit": commit(),
        **content,
        "targets": [asdict(target) for target in targets],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    """The last figures of a comparison.

    Raises:
        FileNotFoundError: It was never measured.
    """
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def targets(content: dict[str, Any]) -> list[Target]:
    """The targets of a loaded result; those of older code say so."""
    entries = [Target(**entry) for entry in content.get("targets", []) if isinstance(entry, dict)]
    if not changed_since(content):
        return entries
    return [replace(one, note="; ".join(filter(None, (one.note, "older code")))) for one in entries]


def commit() -> str:
    """The commit that is measured, with a plus sign where files differ from it; "unknown" without git."""
    found = _git("describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*")
    return found.strip() if found is not None else "unknown"


def changed_since(content: dict[str, Any]) -> list[str]:
    """Files of curate that a comparison measures and that changed since its figures were made.

    Args:
        content: A loaded result; its name is the module's, its commit the state that was measured.

    Returns:
        Paths relative to the repository, sorted; all of them where the commit is not known here.
    """
    files = [
        str(path.relative_to(ROOT))
        for name in fingerprint.imported(f"benchmarks.{content['name']}")
        if name.startswith("curate.") and (path := _path(name)).exists()
    ]
    known = content.get("commit", "unknown").rstrip("+")
    found = None if known == "unknown" else _git("diff", "--name-only", known, "--", *files)
    return files if found is None else sorted(found.split())


def _path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def machine() -> str:
    """Cores, processor, memory and Python, in one line."""
    memory = system.memory_bytes() / 2**30
    return (
        f"{system.cores()} cores of {_processor()} ({platform.machine()}), {memory:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def versions(*packages: str) -> dict[str, str]:
    """Installed versions, for the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def median(values: Iterable[float]) -> float:
    """Median of at least one value."""
    return float(statistics.median(values))


def figure(value: float) -> str:
    """A number with three significant digits, thousands set apart: 1,234, 12.3, 0.123."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A Markdown table; the last `numbers` columns are aligned to the right."""
    align = ["---"] * (len(header) - numbers) + ["---:"] * numbers
    lines = [header, align, *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def target_table(entries: Sequence[Target]) -> str:
    """The targets of a section."""
    return table(["target", "wanted", "measured", "met"], [entry.row() for entry in entries])


def footer(content: dict[str, Any]) -> str:
    """Machine, commit and command, and what changed since: the last lines of every section."""
    commit = content.get("commit", "unknown")
    text = f"Machine: {content['machine']}. Commit {commit}. Again: `{content['command']}`."
    if changed := changed_since(content):
        text += f"\n\n**Older code:** {len(changed)} of the files that are measured here changed since."
    return text + "\n"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
