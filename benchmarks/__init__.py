"""Measured comparisons against what people use today; `make bench` runs all and renews docs/benchmarks.md."""
