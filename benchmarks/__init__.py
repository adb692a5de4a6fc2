"""Measured comparisons against what people use today; `make bench` runs all and renews docs/benchmarks.md.

Each comparison is a module with `measure() -> None`, which writes `benchmarks/results/<name>.json`, and
`section() -> str`, which makes Markdown of that file alone. `python -m benchmarks.<name>` measures one.
"""
