"""What people agree on of single objects."""

from __future__ import annotations

from dataclasses import replace

from curate.agreement import object_attributes
from curate.agreement.annotator_pairs import compare
from curate.agreement.by_annotator import sort_out
from curate.agreement.clusters import cluster
from tests.agreement.drawings import rows, table
from tests.builders import HEIGHT, WIDTH, image_id

BOX = (10.0, 10.0, 50.0, 50.0)


def test_who_chose_nothing_has_no_vote() -> None:
    drawn = rows({("one", "ann"): [("stop", BOX)], ("one", "ben"): [("stop", BOX)]})
    said = [
        replace(drawn[0], attributes=(("lit", ("yes",)), ("worn", ()))),
        replace(drawn[1], attributes=(("lit", ()),)),
    ]
    found = sort_out(table(said), planned={image_id("one")})
    pairs = compare(found, found.overlapped(), {image_id("one"): (WIDTH, HEIGHT)}, iou_threshold=0.5)
    settled = object_attributes.settle(
        object_attributes.given(found, cluster(found, pairs)), min_votes_share=0.5
    )
    assert dict(settled.answers) == {"0": {"lit": ["yes"]}}
    assert not settled.disputed
