"""Every stage after a category came, went or was renamed: it goes on, or says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.engines.local import LocalEngine
from curate.errors import ReleaseError
from curate.labeling import migration, migration_plan, threshold_fitting
from curate.labeling import taxonomy as taxonomy_file
from curate.labeling.thresholds import Target
from curate.params import AgreementParams, GatesParams, LabelStudioParams, QaParams, ReleaseParams
from curate.shown import record
from curate.stages import agreement, push, release, select
from tests import builders
from tests.fakes import FakeAnnotationTool
from tests.stages.test_release import OUTPUTS, PORTS

IMAGES = Path("data/dedupe/images.parquet")
SUGGESTIONS = Path("data/autolabel/annotations.parquet")
PLAN, PULLED = Path("data/select/plan.parquet"), Path("data/pull/annotations.parquet")
ANSWERS = Path("data/pull/answers.parquet")
CONSENSUS, TAXONOMY = Path("data/agreement/consensus.parquet"), Path("taxonomy.yaml")
SUPPORT = Path("data/agreement/objects.parquet"), Path("data/agreement/images.parquet")


def taxonomy(*names: str) -> None:
    rows = (
        f'  - {{id: {number}, name: {name}, prompts: [{name}], threshold: 0.4, color: "#e6194b"}}\n'
        for number, name in enumerate(names)
    )
    TAXONOMY.write_text("categories:\n" + "".join(rows))


@pytest.mark.parametrize(
    ("names", "lost"),
    [
        pytest.param(("new", "stop_sign", "parking_sign"), None, id="no row has it yet"),
        pytest.param(("stop_sign",), "parking_sign", id="only rows have it"),
        pytest.param(("halt", "parking_sign"), "stop_sign", id="renamed"),
        pytest.param(("new",), "_sign", id="none that rows have"),
    ],
)
def test_stages_go_on_or_name_the_category(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], lost: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    taxonomy(*names)
    planned = select.run(
        QaParams(uncertain=2, rare_floor=2, seeded_errors=0.9, overlap_share=0),
        inputs=select.Inputs(IMAGES, SUGGESTIONS, TAXONOMY, push.SHOWN),
        outputs=select.Outputs(PLAN, Path("plots")),
    )
    assert dict(planned.counts)["tasks"] == 6
    push.run(
        LabelStudioParams(project="unit"),
        inputs=push.inputs(TAXONOMY),
        outputs=push.Outputs(push.RECEIPT, push.SHOWN),
        ports=push.Ports(FakeAnnotationTool()),
    )
    agreed = agreement.run(
        AgreementParams(),
        inputs=agreement.Inputs(IMAGES, SUGGESTIONS, PLAN, PULLED, ANSWERS, push.SHOWN, TAXONOMY),
        outputs=agreement.Outputs(
            CONSENSUS,
            SUPPORT[0],
            SUPPORT[1],
            CONSENSUS.with_name("p"),
            Path("figures.csv"),
            Path("queue.csv"),
            Path("label_errors.csv"),
            Path("bad_rows.csv"),
            Path("plots"),
        ),
        ports=agreement.Ports(LocalEngine(2)),
    )
    assert dict(agreed.counts)["images"] == 6
    fitted = threshold_fitting.run(
        SUGGESTIONS,
        PULLED,
        TAXONOMY,
        target=Target(0.9, 0.95),
        iou_threshold=0.5,
        shown=push.SHOWN,
        pulled=ANSWERS,
    )
    assert [fit.category for fit in fitted.fits] == list(names)
    inputs = release.Inputs(
        IMAGES,
        CONSENSUS,
        *SUPPORT,
        Path("figures.csv"),
        TAXONOMY,
        Path("metrics/agreement.json"),
        SUGGESTIONS,
    )

    def released() -> None:
        release.run(
            ReleaseParams(),
            gates=GatesParams(),
            inputs=inputs,
            outputs=OUTPUTS,
            ports=PORTS,
            labelers="people",
        )

    if lost is None:
        released()
    else:
        with pytest.raises(ReleaseError, match=f"the category '.*{lost}', which the taxonomy does not name"):
            released()


def pushed(tool: FakeAnnotationTool) -> None:
    push.run(
        LabelStudioParams(project="unit"),
        inputs=push.inputs(TAXONOMY),
        outputs=push.Outputs(push.RECEIPT, push.SHOWN),
        ports=push.Ports(tool),
    )


def test_a_push_that_died_before_a_rename_is_settled_by_the_names_of_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path, stage="select")
    tool = FakeAnnotationTool(dies_after=2)
    with pytest.raises(KeyboardInterrupt):
        pushed(tool)
    arrived = set(tool.tasks)
    assert len(arrived) == 2
    TAXONOMY.write_text(builders.TAXONOMY.replace("stop_sign", "halt"))
    Path("plan.yaml").write_text("rename: [{from: stop_sign, to: halt}]\n")
    categories = taxonomy_file.load(TAXONOMY)
    migration.prepare(tmp_path, migration_plan.load(Path("plan.yaml"), categories)).write()
    tool.dies_after = None
    pushed(tool)
    known = record.load(push.SHOWN)
    rows = known.shown.to_pylist()
    assert {row["task_id"] for row in rows if row["part"] == 1 and row["reached"]} == arrived
    assert {row["reached"] for row in rows if row["part"] > 1} == {True}
    assert set(known.suggestions["category"].to_pylist()) == {"halt", "parking_sign"}
    names = {row.category for task in tool.tasks.values() for row in task.pre_annotations}
    assert names - {None} == {"halt", "parking_sign"}
    parts = known.parts
    pushed(tool)
    assert record.load(push.SHOWN).parts == parts  # nothing is shown anew
