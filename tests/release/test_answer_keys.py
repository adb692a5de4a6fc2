from __future__ import annotations

import stat
from pathlib import Path

import pyarrow as pa
import pytest

from curate.errors import TableError
from curate.records import derived_id
from curate.release import answer_keys

STAFF = ("ann@example.org", "ben@example.org", "cleo@example.org")
TASKS = [derived_id("task", f"image {number}") for number in range(50)]


def test_who_has_a_list_of_addresses_cannot_tell_who_answered(tmp_path: Path) -> None:
    drawn = [derived_id("human", task, STAFF[number % 3], "box") for number, task in enumerate(TASKS)]
    released = answer_keys.published(pa.array([[key] for key in drawn]), answer_keys.secret(tmp_path / "key"))
    guesses = {derived_id("human", task, person, "box") for task in TASKS for person in STAFF}
    assert guesses >= set(drawn)  # with the keys of the tables it would be told of every one
    assert not guesses & {key for keys in released.to_pylist() for key in keys}


def test_a_key_is_the_same_wherever_it_stands_and_in_every_release(tmp_path: Path) -> None:
    keys = pa.array([["a", "b"], None, [], ["b"]])
    first = answer_keys.published(keys, answer_keys.secret(tmp_path / "key"))
    two, nothing, empty, (again,) = first.to_pylist()
    assert (again in two, nothing, empty) == (True, None, [])
    assert len({*two, "a", "b"}) == 4
    assert answer_keys.published(keys, answer_keys.secret(tmp_path / "key")).equals(first)
    other = answer_keys.published(keys, answer_keys.secret(tmp_path / "other"))
    assert not set(two) & set(other[0].as_py())


def test_the_order_of_the_keys_tells_nothing_of_the_ids(tmp_path: Path) -> None:
    pairs = pa.array([[f"a{number:03}", f"b{number:03}"] for number in range(64)])
    secret = answer_keys.secret(tmp_path / "key")
    released = answer_keys.published(pairs, secret).to_pylist()
    alone = answer_keys.published(pa.array([[pair[0]] for pair in pairs.to_pylist()]), secret).to_pylist()
    firsts = sum(pair[0] == first for pair, (first,) in zip(released, alone, strict=True))
    assert 8 < firsts < 56  # 64 in the order of the ids; by chance outside once in 10**9


def test_the_secret_is_its_owner_s_alone(tmp_path: Path) -> None:
    answer_keys.secret(tmp_path / "data/key")
    assert stat.S_IMODE((tmp_path / "data/key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "00", "no hex digits", "\u00e9"])
def test_a_damaged_secret_is_refused_and_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=r"key is damaged: delete it"):
        answer_keys.secret(path)
    assert path.read_text(encoding="utf-8") == content
