"""Feeds mutated files to `upright` in this process, and says what came of them.

`python tests/images/fuzz/run.py FIRST COUNT WHERE [GIB]`: files FIRST .. FIRST+COUNT-1 of the sequence. The
number of the file in work stands in WHERE, so that a crash names its input. GIB bounds the address space
beyond what
the process holds when it starts. Prints JSON: outcomes by reason, resident set in KiB before and at its peak.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from curate.images.upright_srgb import Limits, UnfitImageError, Upright, upright  # noqa: E402
from tests.images.fuzz.mutate import mutated  # noqa: E402
from tests.images.fuzz.seeds import seeds  # noqa: E402

LIMITS = Limits(min_side=1, max_pixels=1_000_000, max_aspect=1000.0)
REASONS = {
    "empty_file",
    "not_an_image",
    "unsupported_format",
    "truncated",
    "corrupt",
    "too_small",
    "too_large",
    "extreme_aspect",
    "animated",
}


def outcome(data: bytes, number: int) -> str:
    """What became of one file; anything unexpected raises."""
    frames = ("first", "all", "drop")[number % 3]
    try:
        found = upright(data, LIMITS, frames=frames, jpeg_quality=90)  # type: ignore[arg-type]
    except UnfitImageError as error:
        if error.reason not in REASONS or "\n" in error.detail:
            raise RuntimeError(f"a verdict that is none: {error.reason!r}, {error.detail!r}") from error
        return error.reason
    if not found or not all(isinstance(one, Upright) and one.frames >= len(found) for one in found):
        raise RuntimeError("neither pictures nor a verdict")
    return "picture"


def main() -> None:
    """Run the part of the sequence that the command line names."""
    first, count, where = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    known = seeds()
    for number, data in enumerate(known):
        if outcome(data, 3 * number) != "picture":
            raise RuntimeError(f"seed {number} is no picture")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if len(sys.argv) > 4:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + int(float(sys.argv[4]) * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    outcomes: Counter[str] = Counter()
    with where.open("w") as place:
        for number in itertools.islice(itertools.count(first), count):
            place.seek(0)
            place.write(f"{number:012d}")
            place.flush()
            outcomes[outcome(mutated(number, known), number)] += 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"outcomes": outcomes, "before_kib": before, "peak_kib": after}) + "\n")


if __name__ == "__main__":
    main()
