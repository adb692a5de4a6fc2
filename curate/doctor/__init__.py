"""`curate doctor`: what this machine and this project still lack, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate import params, project
from curate.doctor import machine, project_files, services
from curate.doctor.finding import Finding, tried
from curate.errors import CurateError
from curate.params import Params
from curate_pipelines import fingerprint

__all__ = ["Finding", "examine"]


def examine() -> Iterator[Finding]:
    """Everything that is looked at in the current folder, a finding each, in the order of a run.

    Nothing is changed or downloaded; of servers only those are asked that params.yaml needs. Outside of a
    project only the machine is looked at.
    """
    yield from machine.program()
    if not Path(project.PARAMS).is_file():
        yield Finding("project", "note", "none here", "curate init NAME --images PATH_OR_URL makes one")
        yield from machine.extras(frozenset())
        yield from machine.resources()
        return
    settings: Params | None = None
    try:
        settings = params.load()
        yield Finding("params.yaml", "ok", "every parameter is known and in range")
    except CurateError as error:
        yield Finding("params.yaml", "broken", str(error))
    known = settings or Params()
    current = tried("dvc.yaml", fingerprint.pipeline_is_current)
    stages = project_files.stages()
    yield from machine.extras(project_files.needed_extras(known, stages))
    section = "autolabel" if "autolabel" in stages else "upscale"
    yield from machine.resources(device=getattr(known, section).device, section=section)
    yield from project_files.repository()
    yield current
    if settings is None or not stages:  # as was said
        return
    yield from project_files.named_files(settings, stages)
    yield from services.weights(settings, stages)
    yield from services.labelstudio(settings, stages)
    yield from services.hub(settings)
    yield from services.viewer()
