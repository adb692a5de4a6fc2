"""Runs every comparison, saves the JSON, and renews docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks import dedupe

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`; do not edit by hand. Each row is one run of both sides in turn on the same files:
the median of three. The raw figures stand in `benchmarks/results/`; the accuracy of the demo's
models stands in `demo/models/README.md`.

| work | peer | peer | curate | ratio | machine | repeat with |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Run, save, print."""
    results = dedupe.main()
    for result in results:
        result.save()
        print(result.line())
    PAGE.write_text(HEAD + "".join(result.line() + "\n" for result in results), encoding="utf-8")


if __name__ == "__main__":
    main()
