"""The images on which people disagree most: what each person is said to have drawn."""

from __future__ import annotations

from pathlib import Path

from curate.params import Params
from curate.project_tables import ProjectTables
from curate.report.drawing import Album
from curate.report.inputs import Facts
from curate.report.worst_images import worst_images
from curate.review_lists import Disagreement
from tests import builders
from tests.builders import annotation, image_id


def test_an_answer_that_could_not_be_read_is_not_an_answer_that_nothing_is_there(tmp_path: Path) -> None:
    record = builders.image("one")
    builders.write_jpeg(tmp_path / str(record.path), builders.scene([], seed=1))
    human = (
        annotation("one", "stop_sign", (10.0, 10.0, 60.0, 60.0), annotator_id="ann"),
        annotation("one", None, None, annotator_id="ben"),
        annotation("one", None, None, annotator_id="cem", outcome="unreadable"),
    )
    queue = (Disagreement(image_id("one"), None, "unreadable"),)
    tables = ProjectTables(tmp_path, (record,), human=human, queue=queue)
    names = {"ann": "labeler-1", "ben": "labeler-2", "cem": "labeler-3"}
    (worst,), _ = worst_images(Facts(tables, Params(), {}, names=names), Album(tmp_path, max_bytes=1_000_000))
    assert worst.drawn_by == (
        ("labeler-1", "1 stop sign"), ("labeler-2", "nothing"), ("labeler-3", "not readable")
    )  # fmt: skip
