"""A sample read as the database holds it says the same as FiftyOne's object of it would."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from curate.adapters import fiftyone_edits
from curate.adapters.fiftyone_documents import StoredSample

WHEN = datetime(2026, 2, 1, tzinfo=UTC)


def detection(key: str | None, label: str | None, box: list[float], **more: Any) -> dict[str, Any]:
    values = {"annotation_id": key, "label": label, "bounding_box": box, "tags": [], **more}
    return {name: value for name, value in values.items() if value is not None}


def sample(*found: dict[str, Any], synced: tuple[str, ...] = ()) -> StoredSample:
    return StoredSample(
        {
            "_id": 1, "image_id": "i", "tags": ["kept"], "last_modified_at": WHEN,
            "metadata": {"_cls": "ImageMetadata", "width": 100, "height": 50},
            "curate_labels": [f"consensus {key}" for key in synced],
            "consensus": {"_cls": "Detections", "detections": list(found)}, "model": None,
        }
    )  # fmt: skip


def test_edited_deleted_and_drawn_labels_are_found() -> None:
    box = [0.1, 0.2, 0.3, 0.4]
    same = detection("a", "sign", box, synced=fiftyone_edits.fingerprint("sign", box))
    moved = detection("b", "sign", [0.0, 0.2, 0.3, 0.4], synced=fiftyone_edits.fingerprint("sign", box))
    drawn = detection(None, None, box)  # without a category yet: no field of it is stored
    one = sample(same, moved, drawn, synced=("a", "b", "c"))
    found = {(each.decision, each.annotation, each.box) for each in fiftyone_edits.of_labels(one)}
    assert found == {("edit", "b", "0 10 30 30"), ("add", "", "10 10 40 30"), ("delete", "c", "")}
    assert {each.when for each in fiftyone_edits.of_labels(one)} == {"2026-02-01T00:00:00Z"}
    assert fiftyone_edits.of_labels(sample(same, synced=("a",))) == []


def test_a_missing_field_is_none_and_private_names_are_none_of_it() -> None:
    one = sample()
    assert (one["note"], one.note, one["model"], one.has_field("note")) == (None, None, None, False)
    assert one.metadata.width == 100
    assert not hasattr(one, "__deepcopy__")
