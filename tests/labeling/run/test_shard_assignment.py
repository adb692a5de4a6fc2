"""Who is in which shard, over the life of a project."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.labeling.run import shard_assignment


def table(numbers: set[int]) -> pa.Table:
    rows = [
        {"image_id": f"{n:064x}", "path": f"{n}.jpg", "width": 100 + n % 2, "height": 80}
        for n in sorted(numbers)
    ]
    names = ("image_id", "path", "width", "height")
    return pa.table({name: pa.array([row[name] for row in rows]) for name in names})


def shards(assigned: pa.Table) -> dict[str, set[str]]:
    found = defaultdict(set)
    for image_id, shard in zip(*(assigned[name].to_pylist() for name in ("image_id", "shard")), strict=True):
        found[shard].add(image_id)
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=6), st.integers(1, 9))
def test_an_image_never_moves_while_its_shard_lives(
    tmp_path: Path, versions: list[set[int]], size: int
) -> None:
    path = tmp_path / "shard_assignment.parquet"
    path.unlink(missing_ok=True)
    before: dict[str, set[str]] = {}
    for numbers in versions:
        assigned = shard_assignment.assign(table(numbers), path, size)
        now = shards(assigned)
        assert sum(map(len, now.values())) == assigned.num_rows == len(numbers)
        assert max(map(len, now.values())) <= size
        home = {image: shard for shard, images in before.items() for image in images}
        for shard, images in now.items():
            known = {home[image] for image in images if image in home}
            assert known <= {shard}
        column = assigned["shard"].to_pylist()
        assert column == sorted(column)  # a shard's images stand together
        before = now
    assert shard_assignment.assign(table(versions[-1]), path, size).equals(assigned)


def test_new_images_of_one_size_stand_together(tmp_path: Path) -> None:
    assigned = shard_assignment.assign(table(set(range(20))), tmp_path / "shard_assignment.parquet", 10)
    widths = defaultdict(set)
    for shard, width in zip(assigned["shard"].to_pylist(), assigned["width"].to_pylist(), strict=True):
        widths[shard].add(width)
    assert list(map(len, widths.values())) == [1, 1]
