from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.agreement.annotator_pairs import compare
from curate.agreement.by_annotator import sort_out
from curate.agreement.clusters import cluster
from curate.agreement.consensus import Consensus, Rules, consensus, disputed
from curate.geometry import boxes, masks
from curate.records import Annotation, derived_id
from tests.agreement.drawings import Drawn, answers, rows, table
from tests.builders import HEIGHT, WIDTH, image_id

A, B, C = "ann", "ben", "cem"
BOX = (20.0, 20.0, 60.0, 60.0)
FAR = (90.0, 60.0, 140.0, 110.0)


def moved(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return (box[0] + by, box[1] + by, box[2] + by, box[3] + by)


def agreed(
    work: dict[tuple[str, str], Drawn | None], *, share: float = 0.5, threshold: float = 0.5, order: int = 1
) -> list[dict[str, Any]]:
    images = {image_id(image) for image, _ in work}
    found = sort_out(table(rows(work)[::order]), planned=images)
    sizes = dict.fromkeys(images, (WIDTH, HEIGHT))
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=threshold)
    clusters = cluster(found, pairs)
    tasks = {image: derived_id("task", image) for image in images}
    made = consensus(found, pairs, clusters, sizes=sizes, tasks=tasks, rules=Rules(share)).annotations
    return sorted(made.to_pylist(), key=lambda row: row["annotation_id"])


def test_one_annotator_is_taken_over_as_drawn() -> None:
    work = rows({("one", A): [("stop", BOX)]})
    found = agreed({("one", A): [("stop", BOX)]})
    assert [(row["category"], row["bbox_xyxy"], row["rle"]) for row in found] == [
        ("stop", list(BOX), work[0].rle)
    ]
    row = found[0]
    assert (row["origin"], row["annotator_id"], row["score"]) == ("consensus", None, None)
    assert row["task_id"] == derived_id("task", image_id("one"))
    assert row["created_at"] is None
    assert row["lead_time_s"] is None


def drawn_masks(work: dict[tuple[str, str], Drawn | None]) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [masks.decode(row.rle or "", width=WIDTH, height=HEIGHT) for row in rows(work)]


def test_two_annotators_give_the_shape_between_and_its_box() -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): [("stop", moved(BOX, 2.0))]}
    (row,) = agreed(work)
    first, second = drawn_masks(work)
    between = masks.decode(row["rle"], width=WIDTH, height=HEIGHT)
    assert not (first & second & ~between).any()
    assert not (between & ~(first | second)).any()
    assert between.sum() == pytest.approx(first.sum(), rel=0.01)
    assert row["bbox_xyxy"] == list(masks.bbox(row["rle"], width=WIDTH, height=HEIGHT) or ())
    assert row["bbox_xyxy"] == list(moved(BOX, 1.0))


def test_boxes_without_masks_give_their_median() -> None:
    work = {("one", person): [("stop", moved(BOX, by))] for person, by in ((A, 0.0), (B, 1.0), (C, 5.0))}
    bare = [replace(row, rle=None) for row in rows(work)]
    (box,) = settled(bare)["bbox_xyxy"].to_pylist()
    assert box == pytest.approx(moved(BOX, 1.0), abs=0.3)  # the person further away counts a little less
    assert settled(bare[:2])["bbox_xyxy"].to_pylist() == [list(moved(BOX, 0.5))]


def test_three_annotators_give_the_pixels_that_most_marked() -> None:
    work = {("one", person): [("stop", moved(BOX, by))] for person, by in ((A, 0.0), (B, 1.0), (C, 5.0))}
    (row,) = agreed(work)
    majority = np.sum(drawn_masks(work), axis=0) >= 2
    found = masks.decode(row["rle"], width=WIDTH, height=HEIGHT)
    assert (found & majority).sum() / (found | majority).sum() > 0.99
    assert row["bbox_xyxy"] == list(masks.bbox(row["rle"], width=WIDTH, height=HEIGHT) or ())


def settled(annotations: Sequence[Annotation]) -> pa.Table:
    return whole(annotations).annotations


def whole(annotations: Sequence[Annotation]) -> Consensus:
    images = {row.image_id for row in annotations}
    sizes = dict.fromkeys(images, (WIDTH, HEIGHT))
    found = sort_out(table(annotations), planned=images)
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
    tasks = dict.fromkeys(images, "task")
    return consensus(found, pairs, cluster(found, pairs), sizes=sizes, tasks=tasks, rules=Rules())


def test_a_polygon_stays_where_one_person_drew_the_object() -> None:
    made = rows({("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]})
    drawn = [replace(row, polygon="[[20, 20, 60, 20, 60, 60]]") for row in made]
    assert settled(drawn[:1])["polygon"].to_pylist() == ["[[20, 20, 60, 20, 60, 60]]"]
    assert settled(drawn)["polygon"].to_pylist() == [None]


def test_each_object_names_the_annotations_it_was_made_from() -> None:
    made = rows(
        {("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)], ("one", C): [("stop", BOX), ("park", FAR)]}
    )
    found = {row["category"]: row for row in whole(made).objects.to_pylist()}
    ids = {(row.annotator_id, row.category): row.annotation_id for row in made}
    assert found["stop"]["made_from"] == sorted(ids[person, "stop"] for person in (A, B, C))
    assert (found["stop"]["votes"], found["stop"]["annotators"], found["stop"]["outcome"]) == (3, 3, "object")
    assert found["park"]["made_from"] == [ids[C, "park"]]
    assert (found["park"]["votes"], found["park"]["outcome"]) == (1, "absent")


def test_confidence_is_higher_where_more_people_say_the_same_and_unknown_without_overlap() -> None:
    people = [f"p{number}" for number in range(3)]
    work: dict[tuple[str, str], Drawn | None] = {}
    for image in range(20):
        for person in people:
            drawn = [("stop", BOX), ("park", FAR)] if (image + people.index(person)) % 5 else [("stop", BOX)]
            work[f"{image}", person] = drawn
    work |= {("alone", people[0]): [("stop", BOX)]}
    found = whole(rows(work)).objects.to_pylist()
    alone = [row["confidence"] for row in found if row["image_id"] == image_id("alone")]
    three = [row["confidence"] for row in found if row["votes"] == 3]
    assert all(0.5 < low < high <= 1 for low in alone for high in three)
    assert [row["confidence"] for row in whole(rows({("one", A): [("stop", BOX)]})).objects.to_pylist()] == [
        None
    ]


@pytest.mark.parametrize(("voters", "outcome"), [(1, "disputed"), (2, "object")])
def test_what_one_of_two_drew_is_disputed(voters: int, outcome: str) -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)] if voters == 2 else []}
    (row,) = agreed(work)
    assert (row["outcome"], row["category"], row["bbox_xyxy"]) == (outcome, "stop", list(BOX))
    assert row["reject_reason"] == ("presence" if voters == 1 else None)


def test_two_of_three_are_two_thirds() -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)], ("one", C): []}
    assert [row["outcome"] for row in agreed(work, share=2 / 3)] == ["object"]


def test_what_one_of_three_drew_is_not_there() -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): [], ("one", C): []}
    assert [row["outcome"] for row in agreed(work)] == ["empty"]


def test_masks_of_two_that_do_not_overlap_are_disputed() -> None:
    made = rows({("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]})
    corner = np.zeros((HEIGHT, WIDTH), dtype=bool)
    corner[20:24, 20:24] = True
    other = [made[0], replace(made[1], rle=masks.encode(corner))]
    made_of = settled(other)
    assert made_of["outcome"].to_pylist() == ["disputed"]
    assert disputed(made_of) == {image_id("one"): "mask"}


def test_who_skipped_has_no_vote() -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): None}
    assert [row["outcome"] for row in agreed(work, share=1.0)] == ["object"]


def test_nothing_seen_is_one_empty_row_and_skipped_by_all_is_none() -> None:
    found = agreed({("one", A): [], ("one", B): [], ("two", A): None})
    assert [(row["image_id"], row["outcome"], row["bbox_xyxy"]) for row in found] == [
        (image_id("one"), "empty", None)
    ]


def test_the_majority_names_the_object() -> None:
    work = {("one", A): [("stop", BOX)], ("one", B): [("park", BOX)], ("one", C): [("park", BOX)]}
    assert [row["category"] for row in agreed(work)] == ["park"]


def test_two_names_of_two_people_are_disputed_whoever_chose_which() -> None:
    work = {("one", A): [("park", BOX)], ("one", B): [("stop", BOX)]}
    (row,) = agreed(work)
    assert (row["outcome"], row["reject_reason"]) == ("disputed", "category")
    swapped = {("one", A): [("stop", BOX)], ("one", B): [("park", BOX)]}
    assert agreed(swapped) == agreed(work)


def test_parent_stays_where_all_members_share_it() -> None:
    made = rows({("one", A): [("stop", BOX)], ("one", B): [("stop", BOX)]})
    for parents, expected in ((("p", "p"), "p"), (("p", "q"), None), (("p", None), None)):
        table_rows = [{**row.row(), "parent_id": parent} for row, parent in zip(made, parents, strict=True)]
        found = sort_out(
            table(made).from_pylist(table_rows, schema=table(made).schema), planned={image_id("one")}
        )
        sizes = {image_id("one"): (WIDTH, HEIGHT)}
        pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
        clusters = cluster(found, pairs)
        made_of = consensus(
            found, pairs, clusters, sizes=sizes, tasks=dict.fromkeys(sizes, "task"), rules=Rules()
        ).annotations
        assert made_of.column("parent_id").to_pylist() == [expected]


def test_one_person_drawing_the_same_twice_stays_two_rows() -> None:
    found = agreed({("one", A): [("stop", BOX), ("stop", BOX)]})
    assert len(found) == len({row["annotation_id"] for row in found}) == 2


def test_a_chain_is_not_one_object() -> None:
    """a-b and b-c overlap enough, a-c does not: three people never mean one thing."""
    work: dict[tuple[str, str], Drawn | None] = {
        ("one", A): [("stop", BOX)],
        ("one", B): [("stop", (32.0, 20.0, 72.0, 60.0))],
        ("one", C): [("stop", (44.0, 20.0, 84.0, 60.0))],
    }
    found = answers(work)
    sizes = {image_id("one"): (WIDTH, HEIGHT)}
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.5)
    sizes_of = sorted(len(group.members) for group in cluster(found, pairs))
    assert sizes_of == [1, 2]


position = st.tuples(st.integers(0, 100), st.integers(0, 60), st.integers(8, 50), st.integers(8, 50))
thing = st.tuples(
    st.sampled_from(["stop", "park"]),
    position.map(lambda p: (float(p[0]), float(p[1]), float(p[0] + p[2]), float(p[1] + p[3]))),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(thing, max_size=3, unique=True), min_size=1, max_size=4))
def test_clusters_are_complete_disjoint_and_tight(people: list[Drawn]) -> None:
    work: dict[tuple[str, str], Drawn | None] = {("one", f"p{i}"): drawn for i, drawn in enumerate(people)}
    found = answers(work)
    sizes = {image_id("one"): (WIDTH, HEIGHT)}
    pairs = compare(found, found.overlapped(), sizes, iou_threshold=0.3)
    clusters = cluster(found, pairs)
    assert sorted(i for group in clusters for i in group.members) == list(range(len(found.categories)))
    owner = {i: person for person, drawn in found.by_image[image_id("one")].items() for i in drawn.tolist()}
    for group in clusters:
        assert len({owner[i] for i in group.members}) == len(group.members)
        for i, j in itertools.combinations(group.members, 2):
            drawn = [found.rles[i] or ""], [found.rles[j] or ""]
            masks_overlap = masks.rle_iou(*drawn, width=WIDTH, height=HEIGHT)[0, 0]
            assert max(boxes.box_iou(found.boxes[[i]], found.boxes[[j]])[0, 0], masks_overlap) >= 0.3


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(thing, max_size=3), min_size=1, max_size=3))
def test_the_order_of_the_rows_changes_nothing(people: list[Drawn]) -> None:
    work: dict[tuple[str, str], Drawn | None] = {("one", f"p{i}"): drawn for i, drawn in enumerate(people)}
    assert agreed(work) == agreed(work, order=-1)


def told(*chosen: tuple[str, list[str]]) -> Consensus:
    """Three people, or fewer, drew one object and said this of it."""
    drawn = {("one", person): [("stop", BOX)] for person, _ in chosen}
    said = {person: (("worn", tuple(values)),) if values else () for person, values in chosen}
    return whole([replace(row, attributes=said[row.annotator_id or ""]) for row in rows(drawn)])


def test_attributes_are_settled_by_those_who_drew_the_object() -> None:
    found = told((A, ["yes"]), (B, ["yes"]), (C, ["no"]))
    (row,) = found.objects.to_pylist()
    assert row["attributes"] == [("worn", ["yes"])]
    assert 0.5 < dict(row["attributes_confidence"])["worn"] <= 1
    assert found.annotations["attributes"].to_pylist() == [[("worn", ["yes"])]]
    assert told((A, ["yes"]), (B, [])).objects["attributes"].to_pylist() == [[("worn", ["yes"])]]
    assert found.with_disputed_attributes() == []


def test_a_disputed_attribute_has_no_value_and_its_image_is_listed() -> None:
    found = told((A, ["yes"]), (B, ["no"]))
    (row,) = found.objects.to_pylist()
    assert (row["outcome"], row["attributes"], row["disputed_attributes"]) == ("object", [], ["worn"])
    assert found.with_disputed_attributes() == [image_id("one")]
