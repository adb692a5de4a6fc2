"""The wiring of the DVC stages: which adapter goes into which stage, and where its files lie.

`curate run STAGE` runs one in the project's folder; dvc.yaml does exactly that, in this repository and in the
project of everybody who installed the package. The package is not called `pipelines`, like the repository's
folder that holds it: installed, it would take that name from a user's own.
"""

from __future__ import annotations

from typing import Final

# The stages of each template in their order; each is a module here, with a `main` that takes the parameters.
PIPELINES: Final = {
    "detection": (
        "ingest",
        "dedupe",
        "autolabel",
        "embed",
        "select",
        "push",
        "pull",
        "quality",
        "agreement",
        "release",
        "publish",
    ),
    "restoration": ("ingest", "dedupe", "pairs", "upscale", "measure", "vote", "release_pairs", "publish"),
}
STAGES: Final = PIPELINES["detection"]
EVERY_STAGE: Final = tuple(dict.fromkeys(stage for stages in PIPELINES.values() for stage in stages))
FIRST: Final = "fingerprint"  # a stage too: tells DVC which of the others run again
