"""What is shown of an image on which people disagree."""

from __future__ import annotations

from curate.agreement.adjudication_candidates import WHY, collect
from curate.agreement.annotator_pairs import compare
from curate.agreement.clusters import cluster
from curate.agreement.consensus import DISPUTES, Rules, consensus
from curate.agreement.disagreement_queue import FIRST
from tests.agreement.drawings import answers, rows
from tests.builders import HEIGHT, WIDTH, image_id
from tests.pulled import answer_row

NAMES = {"ann": "labeler-1", "ben": "labeler-2", "cid": "labeler-3", "dee": "labeler-4"}
SIGN, OTHER, ALONE = (10.0, 10.0, 50.0, 50.0), (80.0, 20.0, 120.0, 60.0), (100.0, 80.0, 150.0, 110.0)


def test_what_people_agree_on_is_shown_once_and_everything_else_as_each_drew_it() -> None:
    """Three drew the sign; they call the other one two things; one drew a third alone."""
    work = {
        ("one", "ann"): [("stop", SIGN), ("stop", OTHER), ("stop", ALONE)],
        ("one", "ben"): [("stop", SIGN), ("park", OTHER)],
        ("one", "cid"): [("stop", SIGN), ("yield", OTHER)],
        ("one", "dee"): None,
    }
    drawn, key = rows(work), image_id("one")
    found = answers(work)
    pairs = compare(found, found.overlapped(), {key: (WIDTH, HEIGHT)}, iou_threshold=0.5)
    agreed = consensus(
        found, pairs, cluster(found, pairs), sizes={key: (WIDTH, HEIGHT)}, tasks={key: "t"}, rules=Rules()
    )
    said = {
        **answer_row(*[row for row in drawn if row.annotator_id == "ben"]),
        "choices": [("weather", ["rain"])],
    }
    shown = collect(
        {key: "category"},
        annotations=[row.row() for row in drawn],
        answers=[said, {**said, "annotator_id": "ann", "superseded": True}],
        objects=agreed.objects.to_pylist(),
        names=NAMES,
    )[key]
    captions = dict(shown.captions)
    got = sorted((row.category, captions[row.annotation_id]) for row in shown.rows)
    assert got == [
        ("park", "labeler-2"),
        ("stop", "agreed: labeler-1, labeler-2, labeler-3"),
        ("stop", "labeler-1"),
        ("stop", "labeler-1"),
        ("yield", "labeler-3"),
    ]
    assert shown.note.splitlines()[:-1] == [
        "People do not agree what an object is.",
        "labeler-1: 3 stop",
        "labeler-2: 1 park; 1 stop; weather: rain",
        "labeler-3: 1 stop; 1 yield",
        "labeler-4: skipped",
    ]


def test_every_reason_of_the_queue_has_its_words() -> None:
    assert set(WHY) == {
        *FIRST, *DISPUTES, "answer", "attribute", "partly_skipped", "low_f1", "duplicate", "label_error",
    }  # fmt: skip
