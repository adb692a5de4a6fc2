"""`curate doctor`: what this machine and this project still lack, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate import params, project
from curate.doctor import machine, project_files, services
from curate.doctor.finding import Finding
from curate.errors import CurateError
from curate.params import Params

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
        yield from machine.resources(device="auto")
        return
    settings: Params | None = None
    try:
        settings = params.load()
        yield Finding("params.yaml", "ok", "every parameter is known and in range")
    except CurateError as error:
        yield Finding("params.yaml", "broken", str(error))
    known = settings or Params()
    yield from machine.extras(project_files.needed_extras(known))
    yield from machine.resources(device=known.autolabel.device)
    yield from project_files.repository()
    if settings is None:
        return
    yield from project_files.named_files(settings)
    yield from services.weights(settings)
    yield from services.labelstudio()
    yield from services.hub(settings)
    yield from services.viewer()
