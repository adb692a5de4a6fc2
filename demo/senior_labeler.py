"""A SIMULATED senior labeler: a program that decides the disagreement queue of the demo.

`curate qa adjudicate && python -m demo.senior_labeler`

It is a user of its own on the real server and answers the tasks of the project of the adjudication as the
page would. Of the candidates it keeps those that are right, one per object; it draws anew what none is right
about, from the demo's ground truth, and deletes the rest. Nothing of this is human work.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from curate import params as params_file
from curate.adapters.labelstudio import connection
from curate.errors import CurateError, ParamsError
from curate.stages import adjudication_decisions
from demo import labelers, simulated_annotator
from demo.labelers import Job, Truth
from demo.simulated_annotator import Answer, Drawn

EMAIL = "simulated-senior@demo.invalid"
_SECONDS_TO_DECIDE = 30.0
TRUTH, IMAGES = Path("data/demo/truth.json"), Path("data/dedupe/images.parquet")


def decide(job: Job, truth: Truth) -> dict[str, Any]:
    """The body of a decision."""
    candidates = sorted(labelers.suggestions(job), key=lambda one: one.region_id)
    there = labelers.true_objects(job, truth)
    partner = simulated_annotator.partners(there, candidates)
    left, drawn = [], []
    for number, item in enumerate(there):
        at = partner.get(number)
        if at is not None and simulated_annotator.is_good(candidates[at], item):
            left.append(candidates[at].region_id)
        else:
            drawn.append(Drawn(f"senior-{number}", item.category, item.box, item.mask))
    result = labelers.regions(job, Answer(tuple(drawn), tuple(left), _SECONDS_TO_DECIDE))
    return {"result": result, "lead_time": _SECONDS_TO_DECIDE, "parent_prediction": job.prediction}


def main() -> None:
    """Decide everything that is open; one line on stderr and exit code 1 if something fails."""
    started = time.perf_counter()
    try:
        parameters = params_file.load(Path("params.yaml"))
        if parameters.qa.labelers != "simulated":
            raise ParamsError(
                f"params.yaml: qa.labelers is {parameters.qa.labelers!r}: a program must not decide for "
                "people; set it to simulated"
            )
        truth = labelers.load_truth(TRUTH, IMAGES)
        decided = labelers.label(
            connection.resolve(Path()),
            adjudication_decisions.title(parameters.labelstudio.project),
            lambda job, _categories, _questions: decide(job, truth),
            emails=[EMAIL],
        )
    except CurateError as error:
        sys.exit(f"senior labeler: {error}")
    print(f"SIMULATED senior labeler: {decided} decisions in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
