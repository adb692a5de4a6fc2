"""From a click in the app to the release: the plugin's operators, `curate decisions pull`, and the stages."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate import decision_file, schema, tables
from curate.engines.local import LocalEngine
from curate.params import AgreementParams, DedupeParams, GatesParams, QaParams, ReleaseParams
from curate.stages import agreement, dedupe, release, select
from tests import builders
from tests.builders import image_id
from tests.integration.chromium import window
from tests.integration.view_server import opened
from tests.stages import test_agreement, test_release

pytestmark = pytest.mark.integration

START_S = 420.0  # several imports of FiftyOne, on a busy machine
FILE = Path("decisions.csv")

OPERATORS = """
    import json, sys
    from pathlib import Path
    from curate.adapters import fiftyone_decisions, fiftyone_view
    root, ids = Path(sys.argv[1]), json.loads(sys.argv[2])
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    import fiftyone.operators as foo
    dataset = fo.load_dataset(name)
    def sample(key):
        return dataset.match({"image_id": ids[key]}).first()
    def click(operator, **ctx):
        result = foo.execute_operator(f"@curate/decisions/{operator}", {"dataset": dataset, **ctx})
        dataset.reload()
        return result.result["said"]
    def tags():
        ours = ("kept", "dropped", "disagreement")
        return {key: [tag for tag in sample(key).tags if tag not in ours] for key in ids}
    out = {"listed": sorted(one.name for one in foo.list_operators() if "@curate" in one.uri)}
    every = dataset.values("id")
    out["nothing"] = click("keep")
    out["one"] = click("drop", selected=[sample("one").id], params={"argument": "blurred"})
    out["open"] = click("needs_qa", current_sample=sample("two").id)
    out["all"] = click("gold", selected=every)
    out["twice"] = click("gold", selected=every)
    out["tags"] = tags()
    out["undo"] = [click("undo"), click("undo"), click("undo")]
    out["after"] = tags()
    label = sample("three").consensus.detections[0]
    chosen = [{"label_id": label.id, "sample_id": sample("three").id, "field": "consensus"},
              {"label_id": sample("three").model.detections[0].id, "sample_id": "", "field": "model"}]
    out["label"] = click("relabel", selected_labels=chosen, params={"argument": "parking_sign"})
    out["label_tags"] = [one.tags for one in sample("three").consensus.detections]
    more = [{**chosen[0], "label_id": one.id} for one in sample("three").consensus.detections]
    out["more"] = click("relabel", selected_labels=more, params={"argument": "parking_sign"})
    out["more_undone"] = click("undo")
    out["more_tags"] = [one.tags for one in sample("three").consensus.detections]
    fiftyone_decisions.pull(root, root / "decisions.csv", by="labeler-1")
    out["text"] = (root / "decisions.csv").read_text()
    class Ctx:
        dataset, selected, selected_labels, current_sample = dataset, [sample("copy").id], [], None
    from curate.adapters import fiftyone_marking
    out["why"] = fiftyone_marking.why(Ctx)
    print(json.dumps(out))
"""


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project after agreement; its images are what ingest saw."""
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="pull")
    Path("params.yaml").write_text("dedupe: {decisions: decisions.csv}\n")
    agreement.run(
        AgreementParams(),
        inputs=test_agreement.INPUTS,
        outputs=test_agreement.OUTPUTS,
        ports=test_agreement.PORTS,
    )
    return tmp_path


def test_operators_tag_one_or_all_and_undo_takes_them_back(settled: Path) -> None:
    names = ("one", "two", "three", "four", "five", "six", "copy")
    ids = {name: image_id(name) for name in names}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(OPERATORS), str(settled), json.dumps(ids)],
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    assert {"keep", "drop", "needs_qa", "gold", "not_duplicate", "relabel", "delete_labels", "undo"} <= set(
        said["listed"]
    )
    assert said["nothing"] == "nothing is selected: select images first"
    assert said["one"] == "drop:blurred: 1 of 1 selected images"
    assert said["all"] == "gold: 7 of 7 selected images"
    assert said["twice"] == "gold: 0 of 7 selected images"
    assert said["tags"]["one"] == ["drop:blurred", "gold"]
    assert said["tags"]["two"] == ["needs-qa", "gold"]
    assert said["undo"] == [
        "gold: taken back from 0", "gold: taken back from 7", "needs-qa: taken back from 1",
    ]  # fmt: skip
    assert said["after"] == {name: ["drop:blurred"] if name == "one" else [] for name in names}
    assert said["label"] == "relabel:parking_sign: 1 of 1 selected labels"  # the model's is none
    assert said["label_tags"] == [["relabel:parking_sign"], []]
    assert said["more"] == "relabel:parking_sign: 1 of 2 selected labels"  # one has it
    assert said["more_undone"] == "relabel:parking_sign: taken back from 1"
    assert said["more_tags"] == said["label_tags"]
    Path("again.csv").write_text(said["text"])
    rows = {(one.image, one.decision, one.argument) for one in decision_file.load(Path("again.csv"))}
    assert rows == {(ids["one"], "drop", "blurred"), (ids["three"], "relabel", "parking_sign")}
    assert "- dropped: near_duplicate" in said["why"]
    assert "- decided: nothing yet" in said["why"]


@pytest.fixture
def app(settled: Path) -> Iterator[tuple[str, Path]]:
    with opened(settled) as app:
        yield app.url, settled


def test_an_image_dropped_in_the_browser_is_gone_from_the_release(app: tuple[str, Path]) -> None:
    url, root = app
    with window(1400, 900) as shown:
        page = shown.page
        page.goto(url.partition("?")[0])
        page.get_by_text("7 samples").wait_for(timeout=300_000)
        page.wait_for_function("localStorage.getItem('fiftyone-enterprise-tooltip-seen')", timeout=120_000)
        page.reload()  # the advertisement over the grid is not shown again once the plugin was loaded
        page.get_by_text("7 samples").wait_for(timeout=300_000)
        page.locator("[data-cy='looker']").first.hover(timeout=120_000)
        page.locator("[data-cy^='looker-checkbox-']:not(input)").first.click(timeout=120_000, force=True)
        page.keyboard.press("Alt+q")
        page.get_by_text("needs-qa: 1 of 1 selected images").first.wait_for(timeout=120_000)
        page.keyboard.press("Alt+z")
        page.get_by_text("needs-qa: taken back from 1").first.wait_for(timeout=120_000)
        page.keyboard.press("Alt+r")  # asks for the category
        dialog = page.locator("[role=dialog]")
        dialog.get_by_text("The selected labels of consensus or disputed get this category.").wait_for(
            timeout=120_000
        )
        dialog.get_by_text("Cancel", exact=True).click()
        dialog.wait_for(state="detached", timeout=120_000)
        page.keyboard.press("Alt+d")
        page.get_by_text("drop: 1 of 1 selected images").first.wait_for(timeout=120_000)
    pulled = subprocess.run(
        [sys.executable, "-m", "curate", "decisions", "pull", "--by", "labeler-1"],
        capture_output=True, text=True, timeout=START_S, check=False, cwd=root,
    )  # fmt: skip
    assert pulled.returncode == 0, pulled.stderr
    assert "1 lines, 1 new" in pulled.stdout
    (one,) = decision_file.load(FILE)
    assert (one.decision, one.by) == ("drop", "labeler-1")
    before = released(decisions=None)
    assert before - released(decisions=FILE) == {one.image}
    rows = tables.read(Path("data/dedupe/images.parquet"), schema.IMAGES).to_pylist()
    (row,) = [row for row in rows if row["image_id"] == one.image]
    assert (row["drop_reason"], row["drop_detail"]) == ("human_decision", "dropped by labeler-1")


def released(decisions: Path | None) -> set[str]:
    """image_ids of the release that the stages make of the project."""
    images = Path("data/ingest/images.parquet")
    dedupe.run(
        DedupeParams(decisions=decisions),
        inputs=dedupe.Inputs(images=images),
        outputs=dedupe.Outputs(
            table=Path("data/dedupe/images.parquet"), plot=Path("plots/d.csv"),
            index=Path("data/dedupe/index"),
        ),
        ports=dedupe.Ports(engine=LocalEngine(1, in_process=True), say=lambda _: None),
    )  # fmt: skip
    select.run(
        QaParams(),
        inputs=select.Inputs(
            images=Path("data/dedupe/images.parquet"),
            annotations=Path("data/autolabel/annotations.parquet"),
            taxonomy=Path("taxonomy.yaml"),
            shown=Path("data/push/shown"),
            decisions=decisions,
        ),
        outputs=select.Outputs(plan=Path("data/select/plan.parquet"), plots=Path("plots")),
    )
    report = agreement.run(
        AgreementParams(),
        inputs=replace(test_agreement.INPUTS, decision_file=decisions),
        outputs=test_agreement.OUTPUTS,
        ports=test_agreement.PORTS,
    )
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/agreement.json").write_text(json.dumps(dict(report.metrics)))
    release.run(
        ReleaseParams(name="unit-signs"),
        gates=GatesParams(),
        inputs=test_release.INPUTS,
        outputs=test_release.OUTPUTS,
        ports=test_release.PORTS,
        labelers="simulated",
    )
    found: set[str] = set()
    for path in test_release.FOLDER.glob("data/*.parquet"):
        found |= set(pq.read_table(path, columns=["image_id"]).column("image_id").to_pylist())
    return found
