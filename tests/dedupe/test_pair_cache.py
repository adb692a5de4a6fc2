"""Comparisons that were kept: parts and the whole find the same, or the whole is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import fingerprint
from curate.dedupe import candidates, duplicate_pairs, pair_cache
from curate.dedupe.candidates import radius
from curate.dedupe.duplicate_pairs import Found, Side
from curate.dedupe.features import PLAIN, Features, Recipe

RECIPE = Recipe("phash", "fast", "mirrored", False)
EVERY = Recipe("phash", "fast", "mirrored", True)


def stored(count: int, seed: int, copies: float = 0.4) -> Features:
    """Random features; a share of the rows are copies of others with a bit or two changed."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for name, (kind, shape) in Features.layout(RECIPE).items():
        if kind.kind == "f":
            columns[name] = rng.uniform(20, 60, (count, *shape)).astype(kind)
        else:
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
            columns[name] = raw.view(kind).reshape(count, *shape)
    columns["size"][:] = 100
    copied = np.flatnonzero(rng.random(count) < copies)
    origin = rng.integers(0, count, len(copied))
    for name, column in columns.items():
        column[copied] = column[origin]
        if name == "hashes":
            column[copied] ^= np.uint64(1) << rng.integers(0, 63, column[copied].shape).astype(np.uint64)
    return Features.from_columns(columns)


def ids_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32), dtype=np.uint8)


def compare(
    features: Features, rows: np.ndarray, kept: Path, *, max_hamming: int = 6, recipe: Recipe = RECIPE
) -> tuple[Found, int]:
    chosen = pair_cache.Settings(recipe, max_hamming, 0.5)
    return pair_cache.compare(duplicate_pairs.Side(features, rows), ids_of(len(features)), chosen, kept)


def listed(found: Found) -> list[tuple[Any, ...]]:
    same = found.matches
    columns = (same.first, same.second, same.hamming, same.correlation, same.relation)
    counted = enumerate(np.trim_zeros(found.by_hamming, "b").tolist())
    return [*counted, *zip(*(column.tolist() for column in columns), strict=True)]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_came_first_the_pairs_are_those_of_the_whole(tmp_path: Path, seed: int) -> None:
    features, rng = stored(150, seed), np.random.default_rng(seed)
    order = rng.permutation(150)
    anew = []
    for step in range(3):
        rows = order[~np.isin(order, rng.integers(0, 150, 12))]
        found, new = compare(features, rows, tmp_path / "kept")
        fresh, every = compare(features, rows, tmp_path / f"fresh{step}")
        assert every == len(rows)
        assert listed(found) == listed(fresh)
        anew.append(new)
    assert anew[0] > anew[1] > 0
    direct = duplicate_pairs.compare(Side(features, order), RECIPE, max_hamming=6, min_correlation=0.5)
    found, _ = compare(features, order, tmp_path / "kept")
    assert listed(found) == listed(direct)
    assert found.candidates >= len(found.matches.first) > 0


def test_only_new_images_are_compared(tmp_path: Path) -> None:
    features, kept = stored(50, 1), tmp_path / "kept"
    assert compare(features, np.arange(45), kept)[1] == 45
    assert compare(features, np.arange(50), kept)[1] == 5
    assert compare(features, np.arange(10, 50), kept)[1] == 0
    assert compare(features, np.arange(50), kept, max_hamming=5)[1] == 50


def test_other_code_compares_all_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = stored(50, 2)
    compare(images, np.arange(50), tmp_path / "kept")
    assert compare(images, np.arange(50), tmp_path / "kept")[1] == 0
    digest = fingerprint.digest
    monkeypatch.setattr(fingerprint, "digest", lambda *names, **options: digest(*names, **options) + "x")
    assert compare(images, np.arange(50), tmp_path / "kept")[1] == 50


@pytest.mark.parametrize(
    "module",
    ["dedupe.verify", "dedupe.placement_search", "dedupe.candidates", "dedupe.hamming_kernel", "compiled"],
)
def test_the_code_that_finds_and_compares_is_part_of_the_key(module: str) -> None:
    assert f"curate.{module}" in fingerprint.imported("curate.dedupe.pair_cache")


def test_rows_that_hold_other_images_compare_all_anew(tmp_path: Path) -> None:
    """The index was damaged and made again in another order."""
    images, kept = stored(50, 2), tmp_path / "kept"
    side, chosen = duplicate_pairs.Side(images, np.arange(50)), pair_cache.Settings(RECIPE, 6, 0.5)
    assert pair_cache.compare(side, ids_of(50), chosen, kept)[1] == 50
    assert pair_cache.compare(side, ids_of(50)[::-1], chosen, kept)[1] == 50


@pytest.mark.parametrize("keep", [0, 0.3, 0.9, 0.999])
def test_a_damaged_file_compares_all_anew(tmp_path: Path, keep: float) -> None:
    images, kept = stored(50, 2), tmp_path / "kept"
    expected, _ = compare(images, np.arange(50), kept)
    kept.write_bytes(kept.read_bytes()[: int(keep * kept.stat().st_size)])
    found, new = compare(images, np.arange(50), kept)
    assert new == 50
    assert listed(found) == listed(expected)


def test_any_number_of_deliveries_are_compared_alone(tmp_path: Path) -> None:
    """Each may have made the largest set of identical hashes larger: looked up when that could matter."""
    features = stored(200, 3, copies=0.0)
    compared = [compare(features, np.arange(count), tmp_path / "kept")[1] for count in range(100, 190)]
    assert compared == [100] + [1] * 89


def test_a_color_that_many_pictures_share_counts_of_plain_ones_only(tmp_path: Path) -> None:
    features, kept = stored(200, 1), tmp_path / "kept"
    features.tone[:] = 7
    assert compare(features, np.arange(190), kept)[1] == 190
    assert compare(features, np.arange(200), kept)[1] == 10
    features.structure[:] = 0
    assert compare(features, np.arange(190), tmp_path / "plain")[1] == 190
    assert compare(features, np.arange(200), tmp_path / "plain")[1] == 200


def test_where_parts_would_find_something_else_all_are_compared(tmp_path: Path) -> None:
    features, kept = stored(120, 2, copies=0.0), tmp_path / "kept"
    wide = radius(120, Recipe("phash", "fast", "none", False)) + 1
    assert compare(features, np.arange(115), kept, max_hamming=wide)[1] == 115
    assert compare(features, np.arange(120), kept, max_hamming=wide)[1] == 120  # of parts
    features.hashes[:70] = features.hashes[0]
    assert compare(features, np.arange(115), kept)[1] == 115
    assert compare(features, np.arange(120), kept)[1] == 120  # hubs may change


def with_equals(features: Features, rows: np.ndarray) -> Features:
    """The same, where some rows show one picture of several sizes."""
    for name in Features.layout(RECIPE):
        getattr(features, name)[rows] = getattr(features, name)[rows[0]]
    features.size[rows] = np.arange(50, 50 + len(rows))[:, None]
    features.structure[rows] = 2 * PLAIN
    return features


@pytest.mark.parametrize("coming", [0, 1])
def test_equal_images_without_the_hubs_that_they_were_compared_by_are_compared_anew(
    tmp_path: Path, coming: int
) -> None:
    features = with_equals(stored(300, 5, copies=0.0), np.arange(200))
    compare(features, np.arange(299), tmp_path / "kept")
    # The largest eight go, and so many others that the rest needs no hubs.
    rows = np.concatenate([np.arange(150, 192), np.arange(200, 299 + coming)])
    found, _ = compare(features, rows, tmp_path / "kept")
    fresh, _ = compare(features, rows, tmp_path / "fresh")
    assert listed(found) == listed(fresh)
    assert len(found.matches.first) >= 42 * 41 / 2


def test_fewer_images_whose_parts_are_searched_wider_are_compared_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_UP_TO", ((90, 12), (1000, 2)))
    features = related(100, 1)
    for rows in (np.arange(100), np.arange(90), np.arange(5, 95)):
        found, _ = compare(features, rows, tmp_path / "kept", max_hamming=12, recipe=EVERY)
        (tmp_path / "fresh").unlink(missing_ok=True)
        fresh, _ = compare(features, rows, tmp_path / "fresh", max_hamming=12, recipe=EVERY)
        assert listed(found) == listed(fresh)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 999),
    equal=st.integers(60, 80),
    steps=st.lists(st.sampled_from(["some come", "some go", "the largest go"]), min_size=2, max_size=3),
)
def test_whatever_comes_and_goes_the_pairs_are_those_of_a_fresh_run(
    tmp_path: Path, seed: int, equal: int, steps: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    features, here = with_equals(stored(120, seed), np.arange(equal)), np.ones(120, np.bool_)
    here[rng.integers(0, 120, 10)] = False
    (tmp_path / "kept").unlink(missing_ok=True)
    for step in ["nothing", *steps]:
        if step == "some come":
            here[rng.integers(0, 120, 8)] = True
        elif step == "some go":
            here[rng.integers(0, 120, 30)] = False
        elif step == "the largest go":
            here[equal - 10 : equal] = False
        rows = np.flatnonzero(here)
        found, _ = compare(features, rows, tmp_path / "kept")
        (tmp_path / "fresh").unlink(missing_ok=True)
        fresh, _ = compare(features, rows, tmp_path / "fresh")
        assert listed(found) == listed(fresh)


def kept_pairs(path: Path) -> list[tuple[Any, ...]]:
    """What the file holds, in order."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))


def related(count: int, seed: int) -> Features:
    """Features of random pictures, many of which share hashes of every kind, or nearly."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for name, (kind, shape) in Features.layout(EVERY).items():
        few = rng.integers(0, 2**64, max(count // 5, 1), dtype=np.uint64)
        picked = few[rng.integers(0, len(few), (count, *shape))] if kind == np.uint64 else None
        if picked is None:
            columns[name] = rng.integers(0, 256, (count, *shape)).astype(kind)
        else:
            bits = rng.integers(0, 64, picked.shape).astype(np.uint64)
            columns[name] = picked ^ (rng.random(picked.shape) < 0.5) * (np.uint64(1) << bits)
    columns["structure"] = rng.uniform(0, 2 * PLAIN, count).astype(np.float32)
    columns["size"][:] += 50
    return Features.from_columns(columns)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 999), first=st.integers(70, 90), second=st.integers(0, 12))
def test_deliveries_leave_the_pairs_of_the_whole_with_every_kind_of_hash(
    tmp_path: Path, seed: int, first: int, second: int
) -> None:
    features, order = related(100, seed), np.random.default_rng(seed).permutation(100)
    (tmp_path / "kept").unlink(missing_ok=True)
    for count in (first, first + second, 100):
        # In order of image_id, which is not that of delivery.
        rows = np.sort(order[:count])
        found, _ = compare(features, rows, tmp_path / "kept", recipe=EVERY)
    (tmp_path / "whole").unlink(missing_ok=True)
    whole, _ = compare(features, rows, tmp_path / "whole", recipe=EVERY)
    assert listed(found) == listed(whole)
    assert kept_pairs(tmp_path / "kept") == kept_pairs(tmp_path / "whole")
    assert found.candidates > 100
