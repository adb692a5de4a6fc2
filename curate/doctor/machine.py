"""The machine: Python and the command, extras, disk, memory, GPU."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from curate import __version__, system
from curate.adapters import torch_device
from curate.doctor.finding import Finding, State, tried

DISTRIBUTION: Final = "curate-vision"
_NOT_FOR_USERS: Final = {"all", "dev", "docs"}
_GIB: Final = 1 << 30
_DISK_MIN, _DISK_ENOUGH, _MEMORY_ENOUGH = _GIB, 10 * _GIB, 4 * _GIB  # bytes


def program() -> Iterator[Finding]:
    """Python, and whether the `curate` and `dvc` that a shell finds are those of this environment."""
    yield Finding("python", "ok", f"{platform.python_version()}, curate {__version__}")
    here = Path(sys.executable).parent.resolve()
    remedy = f"activate {here.parent}, or put {here} first on PATH: dvc.yaml runs what is found there"
    for name in ("curate", "dvc"):
        found = shutil.which(name)
        if found is None:
            yield Finding(name, "broken", "no such program on PATH", remedy)
        elif name == "curate" and Path(found).resolve().parent != here:
            yield Finding(name, "broken", f"{found} is another installation", remedy)
        else:
            yield Finding(name, "ok", found)


def extras(needed: Collection[str]) -> Iterator[Finding]:
    """A line for each extra of the package: whether all that it names is installed.

    Args:
        needed: Those without which a stage of the project would stop.
    """
    named = defaultdict[str, list[str]](list)
    for requirement in importlib.metadata.requires(DISTRIBUTION) or ():
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name and extra and extra[1] not in _NOT_FOR_USERS:
            named[extra[1]].append(name[0])
    for extra_name, packages in sorted(named.items()):
        absent = [package for package in packages if not _installed(package)]
        label = f"extra {extra_name}"
        if not absent:
            yield Finding(label, "ok", ", ".join(packages))
            continue
        state: State = "broken" if extra_name in needed else "note"
        unless = "" if state == "broken" else " if you need it"
        remedy = f"pip install '{DISTRIBUTION}[{extra_name}]'{unless}"
        yield Finding(label, state, f"{', '.join(absent)} not installed", remedy)


def resources(*, device: str = "auto", section: str = "autolabel") -> Iterator[Finding]:
    """Free disk here, memory, and what models run on.

    Args:
        device: What params.yaml says.
        section: Where it says so, and how many workers run models.
    """
    free = shutil.disk_usage(Path()).free
    state: State = "broken" if free < _DISK_MIN else "note" if free < _DISK_ENOUGH else "ok"
    remedy = "" if state == "ok" else "free some, or move the project"
    yield Finding("disk", state, f"{free / _GIB:,.1f} GiB free", remedy)
    memory = system.memory_bytes()
    enough = memory >= _MEMORY_ENOUGH
    remedy = "" if enough else f"a model may take 4 GiB per worker: set {section}.workers to 1"
    detail = f"{memory / _GIB:,.1f} GiB, {system.cores()} cores"
    yield Finding("memory", "ok" if enough else "note", detail, remedy)
    if _installed("torch"):  # else it was said above
        yield tried("device", lambda: torch_device.describe(device, setting=f"{section}.device"))


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
