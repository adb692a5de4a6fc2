"""DVC stage agreement: how much people agree, and what they agree on."""

from __future__ import annotations

from pathlib import Path

from curate.engines import factory
from curate.params import Params
from curate.records import StageReport
from curate.stages import agreement


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return agreement.run(
        params.agreement,
        inputs=agreement.Inputs(
            images=Path("data/dedupe/images.parquet"),
            suggestions=Path("data/autolabel/annotations.parquet"),
            plan=Path("data/select/plan.parquet"),
            annotations=Path("data/pull/annotations.parquet"),
            answers=Path("data/pull/answers.parquet"),
            shown=Path("data/push/shown"),
            taxonomy=params.autolabel.taxonomy,
            decisions=Path("data/adjudication/annotations.parquet"),
            decision_answers=Path("data/adjudication/answers.parquet"),
            decision_file=params.dedupe.decisions,
            imported=Path("labels/answers"),
            detector=_detector(params),
            group_by=params.release.group_by,
        ),
        outputs=agreement.Outputs(
            consensus=Path("data/agreement/consensus.parquet"),
            objects=Path("data/agreement/objects.parquet"),
            images=Path("data/agreement/images.parquet"),
            pairs=Path("data/agreement/pairs.parquet"),
            figures=Path("data/agreement/figures.csv"),
            queue=Path("data/agreement/queue.csv"),
            label_errors=Path("data/agreement/label_errors.csv"),
            bad_rows=Path("data/agreement/bad_rows.csv"),
            plots=Path("plots"),
            people=Path("data/people.csv"),
        ),
        ports=agreement.Ports(engine=factory.engine(params.engine)),  # seldom needed: no early start
    )


def _detector(params: Params) -> Path | None:
    """The folder of the model that suggested; a Hub id is none, and has no record of a training."""
    return None if params.autolabel.detector.kind == "none" else Path(params.autolabel.detector.model)
