"""All pairs of hashes within a Hamming distance: curate against what people use, and its growth with N.

`python -m benchmarks.neighbors [1m] [10m] [100m] [uneven] [delivery] [peers] [compile]`; all if none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import neighbor_peers, process_cost, result
from benchmarks.neighbor_sizes import PARTS, PEER_COUNTS, PEER_RADIUS, QUADRATIC, QUICK, RUNS
from benchmarks.result import Target

NAME = "neighbors"
COMMAND = "python -m benchmarks.neighbors"
GIB = 2**30


def measure(parts: Iterable[str] = PARTS) -> None:
    """Run some parts, each measurement in a fresh process, and save them beside the others' last figures."""
    try:
        content = result.load(NAME)["parts"]
    except (FileNotFoundError, KeyError):
        content = {}
    result.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=result.CACHE) as folder:
        for part in parts:
            content[part] = _part(part, Path(folder))
            save(content)


def save(content: dict[str, Any]) -> None:
    """Write the results with the targets that they allow to judge."""
    result.save(
        NAME,
        {"parts": content, "versions": result.versions("numba", "numpy", "faiss-cpu"), "quick": QUICK},
        command=COMMAND,
        targets=_targets(content),
    )


def _part(part: str, folder: Path) -> Any:
    if part in RUNS:
        sizes = [(count // 50 if QUICK else count, *rest) for count, *rest in RUNS[part]]
        return [_searched(folder, count, radius, repeats) for count, radius, repeats in sizes]
    if part == "uneven":
        return [_searched(folder, 20_000 if QUICK else 1_000_000, 8, 3, uneven=True)]
    if part == "delivery":
        return process_cost.call(delivery, count=20_000 if QUICK else 1_000_000, radius=8)[1]
    if part == "compile":
        return {name: _compiled(folder / "compiled") for name in ("first_s", "again_s")}
    return _peers(folder)


def _compiled(folder: Path) -> float:
    return float(process_cost.call(first_search, cache=str(folder))[1])


def _searched(folder: Path, count: int, radius: int, repeats: int, *, uneven: bool = False) -> Any:
    """What a search of planted hashes gave; the file of hashes is made by a process that is not measured."""
    path = folder / f"{count}-{uneven}.npy"
    if not path.exists():
        process_cost.call(plant, path=str(path), count=count, uneven=uneven)
    found = process_cost.call(search, path=str(path), radius=radius, repeats=repeats)[1]
    return {"count": count, "radius": radius, "uneven": uneven, **found}


def _peers(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for count in PEER_COUNTS:
        path = folder / f"peers-{count}.npy"
        process_cost.call(plant, path=str(path), count=count)
        ours = process_cost.call(search, path=str(path), radius=PEER_RADIUS, repeats=3)[1]
        rows.append({"name": "curate", "count": count, **ours})
        for name in neighbor_peers.PEERS:
            if count == PEER_COUNTS[0] or name not in QUADRATIC:
                found = process_cost.call(peer, name=name, path=str(path), radius=PEER_RADIUS)[1]
                rows.append({"name": name, "count": count, **found})
    return rows


def plant(path: str, count: int, uneven: bool = False) -> None:
    """Save random hashes, 2% of them made from another by flipping up to 8 bits, with what was planted."""
    rng = np.random.default_rng(count)
    hashes = _uneven(rng, count) if uneven else rng.integers(0, 2**64, count, dtype=np.uint64)
    chosen = rng.permutation(count)[: count // 50 * 2].reshape(2, -1)
    hashes[chosen[1]] = hashes[chosen[0]]
    for flip in range(8):
        flipped = chosen[1][flip * chosen.shape[1] // 8 :]  # the later ones get more flips
        hashes[flipped] ^= np.uint64(1) << rng.integers(0, 64, len(flipped)).astype(np.uint64)
    np.save(path, hashes)
    np.save(f"{path}.planted.npy", np.sort(chosen, axis=0).T)


def _uneven(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """(N,) hashes like those of pictures: half of the bits set, unevenly, and correlated.

    The weight of the noise was chosen so that chance pairs are as many as among 60,000 photographs: about a
    hundred times those of random bits within 8.
    """
    mixing = (rng.normal(size=(40, 64)) / np.sqrt(40)).astype(np.float32)
    parts = []
    for start in range(0, count, 100_000):
        rows = min(100_000, count - start)
        signal = rng.standard_normal((rows, 40), dtype=np.float32) @ mixing
        signal += 0.8 * rng.standard_normal((rows, 64), dtype=np.float32)
        signal += np.linspace(-0.3, 0.3, 64, dtype=np.float32)
        bits = signal > np.median(signal, axis=1, keepdims=True)
        parts.append(np.packbits(bits, axis=1).view(np.uint64))
    return np.concatenate(parts)[:, 0]


def search(path: str, radius: int, repeats: int) -> dict[str, Any]:
    """Our search, once to warm up on few hashes, then timed."""
    from curate.dedupe import hamming_search  # noqa: PLC0415 - so that its load is not in the peers' memory

    hashes = np.load(path)
    for count in (1000, 50_000):
        hamming_search.pairs_within(hashes[:count], min(radius, 4))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bands = hamming_search.cheapest_bands(len(hashes), len(hashes), radius)
    seconds, cpu = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        pairs = hamming_search.pairs_within(hashes, radius)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": result.median(seconds),
        "cpu_s": result.median(cpu),
        "peak_bytes": peak,
        "idle_bytes": idle,
        "pairs": len(pairs),
        "missed": _missed(path, hashes, radius, pairs.first, pairs.second),
        "bands": [[int(mask).bit_length(), int(r)] for mask, r in zip(bands.masks, bands.radii, strict=True)],
    }


def _missed(
    path: str, hashes: NDArray[np.uint64], radius: int, first: NDArray[np.int64], second: NDArray[np.int64]
) -> int:
    """Planted pairs that were not found."""
    planted = np.load(f"{path}.planted.npy")
    bits = np.bitwise_count(hashes[planted[:, 0]] ^ hashes[planted[:, 1]])
    planted = planted[bits <= radius]
    found = np.sort((first << 32) | second)
    keys = (planted[:, 0] << 32) | planted[:, 1]
    at = np.minimum(np.searchsorted(found, keys), max(len(found) - 1, 0))
    return int((found[at] != keys).sum()) if len(found) else len(keys)


def peer(name: str, path: str, radius: int) -> dict[str, Any]:
    """A peer's search, once; compiled loops and libraries are loaded before."""
    hashes = np.load(path)
    function = neighbor_peers.PEERS[name]
    function(hashes[:1000].copy(), radius)
    began, used = time.perf_counter(), time.process_time()
    rows = function(hashes, radius)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    missed = _missed(path, hashes, radius, rows[:, 0], rows[:, 1])
    return {"seconds": seconds, "cpu_s": cpu, "peak_bytes": peak, "pairs": len(rows), "missed": missed}


def delivery(count: int, radius: int) -> dict[str, float]:
    """All pairs of `count` hashes, and 1% new ones against them and among themselves."""
    from curate.dedupe import hamming_search  # noqa: PLC0415

    hashes = np.random.default_rng(1).integers(0, 2**64, count + count // 100, dtype=np.uint64)
    base, new = hashes[:count], hashes[count:]

    def added() -> None:
        hamming_search.pairs_between(new, base, radius)
        hamming_search.pairs_within(new, radius)

    functions: dict[str, Callable[[], object]] = {  # core seconds
        "all_s": lambda: hamming_search.pairs_within(base, radius),
        "added_s": added,
    }
    times = {}
    for name, function in functions.items():
        function()
        seconds = []
        for _ in range(5):
            began = time.process_time()
            function()
            seconds.append(time.process_time() - began)
        times[name] = result.median(seconds)
    return {"count": count, "radius": radius, **times}


def first_search(cache: str) -> float:
    """Seconds of the first search of a process, numba's import included."""
    os.environ["NUMBA_CACHE_DIR"] = cache
    from curate.dedupe import hamming_search  # noqa: PLC0415 - after the place of the compiled code is set

    began = time.perf_counter()
    hamming_search.pairs_within(np.arange(5000, dtype=np.uint64) << np.uint64(20), 2)
    return time.perf_counter() - began


def _targets(content: dict[str, Any]) -> list[Target]:
    """Floors for two cores; nothing in a quick run."""
    wanted = {(10**6, 8): (2, 0.5), (10**7, 8): (40, 1.5), (10**8, 2): (90, 10)}
    found = []
    for run in (run for part in RUNS for run in content.get(part, [])):
        if (run["count"], run["radius"]) in wanted:
            seconds, memory = wanted[run["count"], run["radius"]]
            what = f"all pairs within {run['radius']} of {run['count']:,} hashes"
            # Core seconds: other programs on the machine lengthen the wall clock's, and peers use one core.
            found.append(Target(f"{what}, core seconds", 2 * seconds, run["cpu_s"], "s", at_most=True))
            found.append(Target(f"{what}, memory", memory, run["peak_bytes"] / GIB, "GiB", at_most=True))
    return found


def section() -> str:
    """The Markdown of the last figures."""
    from benchmarks import neighbors_page  # noqa: PLC0415 - matplotlib

    return neighbors_page.section(result.load(NAME))


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all if none")
    chosen = parser.parse_args().parts or PARTS
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    measure(chosen)
    print(json.dumps(result.load(NAME)["parts"], indent=1))


if __name__ == "__main__":
    main()
