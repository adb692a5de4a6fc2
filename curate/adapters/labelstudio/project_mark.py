"""Which projects of the server are ours: by a mark in their description, not by their title.

The mark names the pipeline, what the project is for, and the project's own number. So a copy that a manager
made, a backup or an import carries a mark with another number, and is nobody's; and a project that somebody
renamed is still ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curate import tables
from curate.adapters.labelstudio.client import Client, redact
from curate.errors import AnnotationToolError

PIPELINE_FILE: Final = Path("data/push/pipeline")  # of a project: who we are on the server
_LINE: Final = "curate: "
BEGUN: Final = 0  # number of a project that is being made
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """A project as the server lists it.

    Attributes:
        number: The server's.
        title: As it is now.
        mark: What its description says of us; None without a mark.
        n_tasks: Tasks that it has.
    """

    number: int
    title: str
    mark: Mark | None
    n_tasks: int

    @property
    def shown_title(self) -> str:
        """The title in quotes for a message: without the address of a labeler that may be in it."""
        return repr(redact(self.title))

    @property
    def genuine(self) -> bool:
        """Whether the mark was made for this very project."""
        return self.mark is not None and self.mark.number == self.number


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a project's description.

    Attributes:
        pipeline: Whose it is: an id of a pipeline.
        title: `labelstudio.project` when it was made.
        labeler: Whose alone it is; None = everybody's.
        number: The server's number of the project that the mark was made for.
    """

    pipeline: str
    title: str
    labeler: str | None
    number: int

    def written(self, description: str) -> str:
        """The description with this mark, and no other."""
        kept = [line for line in description.splitlines() if not line.startswith(_LINE)]
        content = json.dumps([self.pipeline, self.title, self.labeler, self.number])
        return "\n".join([*kept, _LINE + content])


def read(description: str | None) -> Mark | None:
    """The mark of a description; None if there is none that can be read."""
    for line in (description or "").splitlines():
        if line.startswith(_LINE):
            with contextlib.suppress(ValueError, TypeError):
                pipeline, title, labeler, number = json.loads(line[len(_LINE) :])
                return Mark(str(pipeline), str(title), labeler, int(number))
    return None


def listed(client: Client) -> list[Listed]:
    """All projects, oldest first."""
    found: list[Listed] = []
    total = 1
    while len(found) < total:
        reply = client.get(
            "/api/projects/",
            action="looking for the project",
            page=len(found) // _PAGE + 1,
            page_size=_PAGE,
            include="id,title,description,task_number",
        )
        found += [_listed(one) for one in reply["results"]]
        total = int(reply["count"]) if reply["results"] else 0
    return sorted(found, key=lambda one: one.number)


def _listed(one: dict[str, Any]) -> Listed:
    return Listed(int(one["id"]), str(one["title"]), read(one["description"]), int(one["task_number"] or 0))


def pipeline_id(path: Path | None, adopted: str | None = None) -> str:
    """Id of this pipeline on the server, made up at the first call.

    Args:
        path: The file that keeps it; None = nothing does.
        adopted: What to be if the file is not there yet: that of a project which holds our tasks.
    """
    fresh = adopted or secrets.token_hex(8)
    if path is None:
        return fresh
    known = read_pipeline_id(path)
    if known is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        partial.write_text(fresh + "\n", encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)  # whoever is first says what it is
        partial.unlink()
        known = read_pipeline_id(path)
    return known or fresh


def adopt(path: Path | None, pipeline: str) -> None:
    """Be that pipeline from now on: another first push, at the same moment, was a little earlier."""
    if path is not None and read_pipeline_id(path) != pipeline:
        with tables.replacing(path) as partial:
            partial.write_text(pipeline + "\n", encoding="utf-8")


def read_pipeline_id(path: Path | None) -> str | None:
    """What `pipeline_id` has made up; None if it has not, or nothing keeps it."""
    if path is None or not path.exists():
        return None
    return path.read_text(encoding="utf-8").strip() or None


def ours(found: Sequence[Listed], title: str, pipeline: str | None) -> dict[str | None, Listed]:
    """The projects of a pipeline by labeler; None = everybody's.

    Where nobody knows the pipeline's id (a fresh clone), all projects of that title must be of one pipeline.
    Projects without any mark are of an older version, and found by their title.

    Raises:
        AnnotationToolError: Projects of several pipelines have that title, or several without a mark.
    """
    marked = [one for one in found if one.genuine and one.mark is not None and one.mark.title == title]
    pipelines = {one.mark.pipeline for one in marked if one.mark is not None}
    if pipeline is None and len(pipelines) > 1:
        raise AnnotationToolError(
            f"several pipelines have a project {title!r} on that server: copy {PIPELINE_FILE} from where you "
            "push, or set labelstudio.project to another title"
        )
    chosen: dict[str | None, Listed] = {}
    for one in marked:
        if one.mark is not None and pipeline in {None, one.mark.pipeline}:
            chosen.setdefault(one.mark.labeler, one)
    older: dict[str | None, list[Listed]] = {}
    for one in found:
        for labeler in _older_version(one, title):
            older.setdefault(labeler, []).append(one)
    for labeler, same in older.items():
        if labeler not in chosen and len(same) > 1:
            raise AnnotationToolError(
                f"several projects are called {same[0].shown_title} and none says that it is ours: "
                "rename all but one, or set labelstudio.project to another title"
            )
        chosen.setdefault(labeler, same[0])
    return chosen


def strangers(found: Sequence[Listed], title: str, chosen: Sequence[Listed]) -> list[str]:
    """Projects that look like ours and are not, and those that are and do not look so: a line for each."""
    numbers = {one.number for one in chosen}
    told = []
    for one in found:
        mark = one.mark
        if one.number in numbers:
            expected = title if mark is None or mark.labeler is None else f"{title} [{mark.labeler}]"
            if one.title != expected:
                told.append(f"project {one.number} {one.shown_title} is {redact(expected)!r}, renamed")
        elif mark is not None and mark.number == BEGUN and mark.title == title and not one.n_tasks:
            told.append(f"project {one.number} {one.shown_title} is empty, made beside ours: delete it")
        elif mark is not None and not one.genuine and mark.title == title:
            told.append(f"project {one.number} {one.shown_title} is a copy of project {mark.number}")
        elif mark is not None and mark.title == title:
            told.append(f"project {one.number} {one.shown_title} belongs to another pipeline")
        elif one.title == title or one.title.startswith(f"{title} ["):
            told.append(f"project {one.number} {one.shown_title} was not made by this pipeline")
    return told


def _older_version(one: Listed, title: str) -> tuple[str | None, ...]:
    """The labeler of a project without a mark that has our title; nothing if it has not."""
    if one.mark is not None:
        return ()
    if one.title == title:
        return (None,)
    own = one.title.startswith(f"{title} [") and one.title.endswith("]")
    labeler = one.title[len(title) + 2 : -1] if own else ""
    return (labeler,) if "@" in labeler else ()
