from __future__ import annotations

from collections.abc import Mapping

import pytest

from curate.errors import ReleaseError
from curate.records import ImageRecord
from curate.release.split_groups import Settled, own_splits, settle, tie
from tests.builders import image, image_id
from tests.release.contents import images_table

A, B, C, D = (image_id(name) for name in "abcd")


def groups(*records: ImageRecord, group_by: tuple[str, ...] = ()) -> list[set[str]]:
    """Names of the images by group, without those that stand alone."""
    found = tie(images_table(records), group_by)
    by_group: dict[str, set[str]] = {}
    for record, group in zip(records, found.names, strict=True):
        by_group.setdefault(group, set()).add(record.sources[0][5:-4])
    assert all(group == min(image_id(name) for name in names) for group, names in by_group.items())
    return [names for names in by_group.values() if len(names) > 1]


def attributes(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(values.items())


def test_duplicates_and_attributes_tie_over_several_steps_and_through_dropped_images() -> None:
    dropped = image(
        "b", dup_group=A, duplicate_of=A, drop_reason="near_duplicate", attributes=attributes(scene="7")
    )
    records = [
        image("a", dup_group=A), dropped, image("c", attributes=attributes(scene="7", camera="x")),
        image("d", attributes=attributes(camera="x")), image("e", attributes=attributes(camera="7")),
    ]  # fmt: skip
    assert groups(*records) == [{"a", "b"}]
    assert groups(*records, group_by=("scene",)) == [{"a", "b", "c"}]
    assert groups(*records, group_by=("scene", "camera")) == [{"a", "b", "c", "d"}]
    assert tie(images_table(records), ["scene"]).missing == {"scene": 3}


def test_an_attribute_that_no_image_has_is_refused_with_the_known_ones() -> None:
    records = [image("a", attributes=attributes(scene="7")), image("b", attributes=attributes(lens="x"))]
    with pytest.raises(
        ReleaseError, match="group_by names 'scnee', which no image has: known are lens, scene"
    ):
        tie(images_table(records), ["scnee"])


def test_own_splits_by_all_their_names_and_a_strange_one_is_refused() -> None:
    named = [image(n, attributes=attributes(split=s)) for n, s in zip("abc", ("Val", "TRAINING", "test"))]  # noqa: B905
    table = images_table([*named, image("d")])
    assert own_splits(table, "split") == ["validation", "train", "test", None]
    assert own_splits(table, None) == [None] * 4
    strange = images_table([image("a", attributes=attributes(split="left half"))])
    with pytest.raises(ReleaseError, match=r"attribute split of image .* is 'left half', which is no split"):
        own_splits(strange, "split")


def settled(
    group_of: Mapping[str, str],
    former: Mapping[str, str],
    own: Mapping[str, str] | None = None,
    *,
    gone: str = "",
    conflicts: str = "refuse",
) -> Settled:
    return settle(
        list(group_of),
        list(group_of.values()),
        [name not in gone for name in group_of],
        former=former,
        own=[(own or {}).get(name) for name in group_of],
        conflicts=conflicts,  # type: ignore[arg-type]
    )


def test_the_former_release_comes_before_a_replaced_copy_and_before_the_source() -> None:
    both = {"a": "g", "b": "g", "c": "h", "d": "i"}
    found = settled(both, {"a": "test", "b": "train"}, {"a": "train", "c": "validation"}, gone="b")
    assert found.split == ["test", "test", "validation", None]
    assert (found.kept, found.own, found.moved) == (1, 1, 0)


def test_a_better_copy_takes_the_split_of_the_image_that_it_replaces() -> None:
    assert settled({"new": "g", "old": "g"}, {"old": "test"}, {"new": "train"}, gone="old").split[0] == "test"
    of_two = settled({"new": "g", "b": "g", "c": "g"}, {"b": "train", "c": "validation"}, gone="bc")
    assert of_two.split[0] == "validation"  # never into train what was held out


@pytest.mark.parametrize("level", ["former", "own"])
def test_a_torn_group_is_refused_by_name_or_moved_when_told(level: str) -> None:
    group_of = {"aaa": "g", "bbb": "g", "ccc": "g"}
    splits = {"aaa": "train", "bbb": "train", "ccc": "test"}
    given = {"former": splits, "own": {}} if level == "former" else {"former": {}, "own": splits}
    with pytest.raises(ReleaseError) as caught:
        settled(group_of, **given)  # type: ignore[arg-type]
    assert (
        "1 groups of images belong together and have several splits already, such as ccc (test) and aaa"
        in str(caught.value)
    )
    assert "release.split_conflicts: move" in str(caught.value)
    moved = settled(group_of, **given, conflicts="move")  # type: ignore[arg-type]
    assert moved.split == ["train"] * 3
    assert moved.moved == (1 if level == "former" else 0)
