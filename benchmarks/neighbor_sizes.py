"""What `benchmarks.neighbors` measures: numbers of hashes, radii, repeats."""

from __future__ import annotations

from benchmarks import result

QUICK = result.quick()
# Of each part: hashes, radius, repeats.
RUNS: dict[str, list[tuple[int, int, int]]] = {
    "1m": [(10**6, radius, 3) for radius in (4, 6, 8, 10)],
    "10m": [(10**7, radius, 1) for radius in (4, 6, 8)],
    "100m": [(10**8, 2, 1)],
}
PEER_COUNTS = (20_000, 50_000) if QUICK else (50_000, 200_000)
# Those that compare all pairs take so much longer at the larger size: that is counted, not waited for.
QUADRATIC = ("numba brute force", "faiss IndexBinaryFlat")
PEER_RADIUS = 8
PARTS = (*RUNS, "uneven", "delivery", "peers", "compile")
