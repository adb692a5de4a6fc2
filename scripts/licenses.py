"""Prints what each extra of this package pulls in and under which license, as installed here.

    python scripts/licenses.py            # a line per package: extras, name, version, license
    python scripts/licenses.py --copyleft # only GPL and AGPL

Read from the metadata of the installed packages, and from NOTES for wheels that carry more than they say.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "curate-vision"
# What a wheel carries beside its own code, or says of itself in words that no pattern can read.
NOTES: Mapping[str, str] = {
    "pillow-heif": "BSD-3-Clause, and in the wheel libx265 (GPL-2.0)",
    "imageio-ffmpeg": "BSD-2-Clause, and in the wheel a program ffmpeg (GPL-3.0)",
    "pygit2": "GPL-2.0-only with an exception for linking",
    "dulwich": "Apache-2.0 OR GPL-2.0-or-later",
    "asyncssh": "EPL-2.0 OR GPL-2.0-or-later",
}
# GPL and AGPL; not LGPL, not a choice between it and a permissive license, not the linking exception.
COPYLEFT = re.compile(r"(?<!L)(?<!LESSER )\bA?GPL|GNU (AFFERO )?GENERAL PUBLIC", re.IGNORECASE)
FREE_OF_IT = re.compile(r"\sOR\s|exception for linking")


def extras() -> tuple[str, ...]:
    """Names of the extras in the installed metadata, without `all`."""
    found = metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    return tuple(sorted(name for name in found if name != "all"))


def closure(extra: str | None) -> set[str]:
    """Distributions that the core (None) or an extra pulls in here, by canonical name."""
    waiting = [(PROJECT, frozenset({extra} if extra else ()))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform or Python
            seen.discard((name, wanted))
            continue
        for requirement in map(Requirement, requires):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": one}) for one in wanted or {""}):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen} - {PROJECT}


def license_of(name: str) -> str:
    """One line: the SPDX expression, else the classifiers, else the first line of the license field."""
    if name in NOTES:
        return NOTES[name]
    fields = metadata.metadata(name)
    if fields.get("License-Expression"):
        return str(fields["License-Expression"])
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in fields.get_all("Classifier") or []
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    stated = next(iter((fields.get("License") or "").strip().splitlines()), "")
    return " and ".join(classifiers) or stated or "not stated"


def is_copyleft(text: str) -> bool:
    """Whether a license asks for the whole program to be under GPL or AGPL."""
    return bool(COPYLEFT.search(text)) and not FREE_OF_IT.search(text)


def table(names: Iterable[str | None]) -> dict[str, tuple[str, ...]]:
    """The extras (core = "") by distribution."""
    found: dict[str, set[str]] = {}
    for extra in names:
        for name in closure(extra):
            found.setdefault(name, set()).add(extra or "core")
    return {name: tuple(sorted(extras)) for name, extras in sorted(found.items())}


def main() -> None:
    """Print the list of licenses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--copyleft", action="store_true", help="only GPL and AGPL")
    only = parser.parse_args().copyleft
    for name, pulled_by in table([None, *extras()]).items():
        text = license_of(name)
        if not only or is_copyleft(text):
            sys.stdout.write(f"{','.join(pulled_by)}\t{name}\t{metadata.version(name)}\t{text}\n")


if __name__ == "__main__":
    main()
