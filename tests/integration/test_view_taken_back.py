"""What people decided in the app and nobody pulled yet, across syncs: nothing is lost, nothing comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate import decision_file
from tests import builders
from tests.integration.test_view_app import scripted, settled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DECIDE = """
    import json, shutil, sys
    from pathlib import Path
    from curate import decision_file, schema, tables
    from curate.adapters import fiftyone_decisions, fiftyone_view
    from curate.errors import ViewError
    root, ids = Path(sys.argv[1]), json.loads(sys.argv[2])
    path, table = root / "decisions.csv", root / "data/dedupe/images.parquet"
    rows = tables.read(table, schema.IMAGES).to_pylist()
    file_of = {row["image_id"]: row["path"] for row in rows}
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    dataset = fo.load_dataset(name)
    def sync():
        print("sync", file=sys.stderr)
        fiftyone_view.sync_dataset(root, stage="release")
        dataset.reload()
    def pull():
        said = fiftyone_decisions.pull(root, path, by="labeler-7").line()
        dataset.reload()
        return said
    def sample(key):
        return dataset.match({"image_id": ids[key]}).first()
    def tag(key, *tags):
        one = sample(key)
        one.tags = [*(tag for tag in one.tags if tag in ("kept", "dropped", "disagreement")), *tags]
        one.save()
    def tags(key):
        found = dataset.match({"image_id": ids[key]})
        return sorted(set(found.first().tags) - {"kept", "dropped", "disagreement"}) if len(found) else None
    out = {"by_hand": [tags(key) for key in ("two", "three", "four")]}

    # A tag and the tag of a label that are taken back, and the app is opened again before the next pull.
    tag("one", "drop:blurred")
    label = sample("one")
    label.consensus.detections[0].tags.append("relabel:parking_sign")
    label.save()
    tag("two")
    out["pulled"] = pull()
    sync()
    out["two"] = tags("two")
    tag("one")
    label = sample("one")
    label.consensus.detections[0].tags = []
    label.save()
    tables.write_rows([{**row, "sharpness": 7.0} for row in rows], table, schema.IMAGES)
    sync()
    out["one"] = tags("one")
    out["taken_back"] = pull()
    sync()
    out["rest"] = sorted(one.decision for one in decision_file.load(path))

    # Upright files vanish, and come back.
    tag("four", "gold", "look")
    for key in ids:
        (root / file_of[ids[key]]).rename(root / f"{key}.aside")
    sync()
    out["without_files"] = [len(dataset), tags("four")]
    for key in ids:
        (root / f"{key}.aside").rename(root / file_of[ids[key]])
    sync()
    out["files_back"] = [len(dataset), tags("four"), pull()]

    # The images of two leave the tables, one with a decision that nobody pulled, and come back.
    tag("six", "drop:private")
    tag("five", "look")
    gone = {ids["six"], ids["five"]}
    removed = [{**row, "drop_reason": "removed"} if row["image_id"] in gone else row for row in rows]
    tables.write_rows(removed, table, schema.IMAGES)
    sync()
    out["gone"] = [tags("six"), tags("five"), pull()]
    sync()
    out["gone_pulled"] = [tags("six"), pull()]
    tables.write_rows(rows, table, schema.IMAGES)
    sync()
    out["back"] = [tags("six"), pull()]

    # A label with a decision that nobody pulled leaves the consensus.
    label = sample("three")
    label.consensus.detections[0].tags.append("delete")
    label.save()
    answers = root / "data/agreement/consensus.parquet"
    agreed = tables.read(answers, schema.ANNOTATIONS).to_pylist()
    agreed = [one for one in agreed if one["image_id"] != ids["three"]]
    tables.write_rows(agreed, answers, schema.ANNOTATIONS)
    sync()
    out["label"] = pull()
    sync()
    out["label_gone"] = sample("three").consensus is None
    out["label_kept"] = pull()

    # The release is given another name, before a pull and before a sync.
    def called(name):
        (root / "params.yaml").write_text(
            f"{{dedupe: {{decisions: decisions.csv}}, release: {{name: {name}}}}}"
        )
    tag("one", "look")
    called("signs")
    out["renamed"] = [pull(), fo.list_datasets()]
    tag("one", "look", "keep")
    called("lorries")
    print("sync", file=sys.stderr)
    out["renamed"] += [fiftyone_view.sync_dataset(root, stage="release"), fo.list_datasets()]
    dataset.reload()
    out["renamed"] += [tags("one"), pull()]

    # Names that are taken, and a copy of the project in the same database.
    def refused(name, at=root):
        text = f"{{dedupe: {{decisions: decisions.csv}}, release: {{name: {name}}}}}"
        (at / "params.yaml").write_text(text)
        try:
            fiftyone_decisions.pull(at, at / "decisions.csv", by="labeler-7")
        except ViewError as error:
            return str(error)
    fo.Dataset("curate_vans", persistent=True)
    other = fo.Dataset("curate-boats", persistent=True)
    other.info["curate_project"] = "another"
    other.save()
    tag("one", "look", "needs-qa")
    out["taken"] = [refused("vans"), refused("boats")]
    copy = root.parent / f"{root.name}-copy"
    shutil.copytree(root / ".fiftyone", copy / ".fiftyone", ignore=lambda at, names: set(names) - {"project"})
    fiftyone_view.connect = lambda *given, **how: fo
    out["copy"] = [refused("forked", copy), fo.list_datasets()]
    dataset.clone("curate-arrows", persistent=True)
    out["several"] = refused("trams")
    shutil.rmtree(copy)
    print(json.dumps(out))
"""


def test_what_nobody_pulled_survives_and_what_was_taken_back_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(tmp_path, monkeypatch)
    ids = {name: builders.image_id(name) for name in ("one", "two", "three", "four", "five", "six")}
    (tmp_path / "params.yaml").write_text("dedupe: {decisions: decisions.csv}\n")
    lines = [
        decision_file.Decision(0, "unit/two.jpg", "keep"),
        decision_file.Decision(0, ids["three"][:12], "needs-qa"),
        decision_file.Decision(0, "unit/nowhere.jpg", "keep"),
    ]
    decision_file.write(tmp_path / "decisions.csv", lines)
    said, errors = scripted(DECIDE, str(tmp_path), json.dumps(ids))
    first, *syncs = errors.split("sync\n")
    assert said["by_hand"] == [["keep"], ["needs-qa"], []], "lines by a place and by a beginning are shown"
    assert "1 lines of decisions are about images that the app does not show" in first

    assert said["pulled"] == "decisions: 4 lines, 2 new, 1 taken back in the app"
    assert said["two"] == [], "a line by a place that is taken back"
    assert said["one"] == [], "a tag that is taken back does not come back"
    assert "6 changed, 0 removed, 0 as before, 1 waiting" in syncs[1]
    assert said["taken_back"] == "decisions: 2 lines, 0 new, 2 taken back in the app"
    assert said["rest"] == ["keep", "needs-qa"]

    assert said["without_files"] == [7, ["gold", "look"]]
    assert "0 removed, 1 as before, 6 without their file" in syncs[3]
    assert "6 upright files have vanished: run dvc repro" in syncs[3]
    assert said["files_back"] == [7, ["gold", "look"], "decisions: 3 lines, 1 new, 0 taken back in the app"]

    assert said["gone"] == [["drop:private"], None, "decisions: 4 lines, 1 new, 0 taken back in the app"]
    assert "1 removed" in syncs[5]
    assert "1 waiting" in syncs[5]
    assert said["gone_pulled"] == [None, "decisions: 4 lines, 0 new, 0 taken back in the app"]
    assert said["back"] == [["drop:private"], "decisions: 4 lines, 0 new, 0 taken back in the app"]

    assert said["label"] == "decisions: 5 lines, 1 new, 0 taken back in the app"
    assert said["label_gone"]
    assert said["label_kept"] == "decisions: 5 lines, 0 new, 0 taken back in the app"

    assert said["renamed"] == [
        "decisions: 5 lines, 0 new, 0 taken back in the app",
        ["curate-signs"],
        "curate-lorries",
        ["curate-lorries"],
        ["keep", "look"],
        "decisions: 6 lines, 1 new, 0 taken back in the app",
    ]
    assert "the dataset curate-signs is called curate-lorries now (release.name)" in syncs[-1]

    taken = "of another project: give this one another release.name"
    assert said["taken"] == [
        "the database holds a dataset like 'curate-vans': give this one another release.name",
        f"the database holds a dataset 'curate-boats' {taken}",
    ]
    assert said["copy"] == [
        "nothing was shown in the app yet: run `curate view` first",
        ["curate-boats", "curate-lorries", "curate_vans"],
    ]
    assert said["several"].startswith("this project has the datasets curate-arrows and curate-lorries, and")
