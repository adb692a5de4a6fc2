"""The labelling project: made from the taxonomy, or adopted if it is ours and fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.adapters.labelstudio import guideline, label_config, labels_in_use, project_mark, task_pages
from curate.adapters.labelstudio.client import Client, redact
from curate.adapters.labelstudio.image_storage import Storage
from curate.adapters.labelstudio.label_config import category_names
from curate.adapters.labelstudio.project_mark import Listed, Mark
from curate.adapters.labelstudio.retry import TransientError
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef, ProjectSpec

__all__ = ["category_names", "ensure", "find", "plan", "projects", "reference", "title_for"]
_TITLE_LIMIT = 50  # characters, of the server
_CONFIG, _GUIDELINE = "label_config", "expert_instruction"
_NOT_FOUND = "(HTTP 404)"
# Skipped counts as looked at; an image without an object is an answer; the queue is in the order of tasks.
_SETTINGS = {
    "show_instruction": True,
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "show_collab_predictions": True,
    "evaluate_predictions_automatically": False,
    "reveal_preannotations_interactively": False,
    "skip_queue": "IGNORE_SKIPPED",
    "sampling": "Sequential sampling",
    "show_overlap_first": False,
}


def title_for(title: str, labeler: str | None) -> str:
    """Title of the project that all, or that one labeler alone works in.

    Raises:
        AnnotationToolError: Longer than the server allows.
    """
    whole = title if labeler is None else f"{title} [{labeler}]"
    if len(whole) > _TITLE_LIMIT:
        raise AnnotationToolError(
            f"the project's title {redact(whole)!r} has {len(whole)} characters, "
            f"at most {_TITLE_LIMIT} are allowed: shorten labelstudio.project"
        )
    return whole


def projects(client: Client, title: str, pipeline: str | None = None) -> dict[str | None, ProjectRef]:
    """The project of that title (None) and those of single labelers; `pipeline` None = whoever has it.

    Raises:
        AnnotationToolError: It cannot be told which are ours.
    """
    found = project_mark.ours(project_mark.listed(client), title, pipeline)
    return {labeler: reference(client, one.number, labeler) for labeler, one in found.items()}


def find(client: Client, title: str, pipeline: str | None = None) -> Any | None:
    """The server's record of everybody's project of that title; None if there is none.

    Raises:
        AnnotationToolError: It cannot be told which is ours.
    """
    found = projects(client, title, pipeline).get(None)
    return None if found is None else get(client, found.project_id)


def get(client: Client, number: int) -> Any:
    """The server's record of a project."""
    return client.get(f"/api/projects/{number}/", action="reading the project")


def reference(client: Client, number: int, labeler: str | None = None) -> ProjectRef:
    """Number and address of a project."""
    return ProjectRef(number, f"{client.connection.url}/projects/{number}/data", labeler)


def plan(client: Client, spec: ProjectSpec, pipeline: str | None = None) -> tuple[Any | None, dict[str, Any]]:
    """The project if it exists, and the settings that must be given to it. Changes nothing.

    Raises:
        AnnotationToolError: A category or control that people used would vanish, or the project of that title
            is another pipeline's.
    """
    title_for(spec.title, spec.labeler)
    found = project_mark.listed(client)
    mine = project_mark.ours(found, spec.title, pipeline).get(spec.labeler)
    if mine is None:
        _refuse_another_pipelines(client, found, spec)
    elif pipeline is None or not mine.genuine:
        _refuse_strange_tasks(client, mine, spec)
    existing = None if mine is None else get(client, mine.number)
    shown = {} if existing is None else guideline.addresses(existing[_GUIDELINE] or "")
    wanted = {
        _CONFIG: _config(spec),
        _GUIDELINE: _guideline(spec, shown),
        **_SETTINGS,
        "enable_empty_annotation": not spec.question,  # of two pictures one is better, or it is skipped
    }
    if existing is None:
        return None, wanted
    changed = {name: value for name, value in wanted.items() if not _same(name, existing[name], value)}
    if _CONFIG in changed:
        _refuse_losses(client, existing, spec)
    return existing, changed


def _config(spec: ProjectSpec) -> str:
    if spec.question:
        return label_config.comparison_config(spec.question)
    return label_config.label_config(spec.categories, spec.choices, spec.attributes, notes=spec.notes)


def _same(name: str, there: Any, wanted: Any) -> bool:
    """Whether a setting is as wanted; the server writes some of them in its own way."""
    if name == _CONFIG:
        return label_config.same(there, wanted)
    return guideline.same(there or "", wanted) if name == _GUIDELINE else bool(there == wanted)


def _guideline(spec: ProjectSpec, addresses: Mapping[str, str]) -> str:
    return guideline.to_html(
        spec.instructions,
        categories=spec.categories,
        folder=spec.instructions_folder,
        addresses=addresses,
    )


def _with_images(client: Client, number: int, spec: ProjectSpec, shown: str) -> str:
    """The guideline, when its images that the project does not show yet are there."""
    images = guideline.images(spec.instructions, spec.instructions_folder)
    addresses = guideline.addresses(shown)
    for name in sorted(images.keys() - addresses.keys()):
        addresses[name] = client.upload(number, name, images[name], action="uploading the guideline's images")
    return _guideline(spec, addresses)


def _refuse_another_pipelines(client: Client, found: Sequence[Listed], spec: ProjectSpec) -> None:
    for one in found:
        mark = one.mark
        same = mark is not None and (mark.title, mark.labeler) == (spec.title, spec.labeler)
        if one.genuine and same and one.n_tasks:
            raise AnnotationToolError(
                f"project {one.number} {one.shown_title} on {client.connection.url} belongs to another "
                "pipeline: set labelstudio.project to another title"
            )


def _refuse_strange_tasks(client: Client, mine: Listed, spec: ProjectSpec) -> None:
    """A project that only its title makes ours must hold a task of the plan, or none that push has made."""
    if not spec.task_ids or not mine.n_tasks:
        return
    there = reference(client, mine.number)
    pages = task_pages.matching(client, there, include="id,data")
    keys = {str(task["data"].get("task_id", "")) for page in pages for task in page} - {""}
    if keys and not keys & spec.task_ids:
        raise AnnotationToolError(
            f"project {mine.number} {mine.shown_title} on {client.connection.url} is full of other tasks: "
            "set labelstudio.project to another title"
        )


def ensure(
    client: Client, spec: ProjectSpec, storage: Storage, *, pipeline_file: Path | None = None
) -> ProjectRef:
    """Create the project, or take ours and bring it up to date; never a second one.

    Raises:
        AnnotationToolError: A category or control that people used would vanish, the project of that title is
            another pipeline's, or the server does not serve the images.
    """
    return client.changes.until_done(lambda: _ensure(client, spec, storage, pipeline_file))


def _ensure(client: Client, spec: ProjectSpec, storage: Storage, pipeline_file: Path | None) -> ProjectRef:
    existing, changed = plan(client, spec, project_mark.read_pipeline_id(pipeline_file))
    if existing is None:
        pipeline = project_mark.pipeline_id(pipeline_file)
        title = title_for(spec.title, spec.labeler)
        begun = Mark(pipeline, spec.title, spec.labeler, project_mark.BEGUN)
        number = min(_begun(client, begun), default=None) or _created(client, title, begun, changed)
        _mark(client, number, "", replace(begun, number=number))
        number = _only_one(client, number, begun, pipeline_file)
        if guideline.images(spec.instructions, spec.instructions_folder):
            changed = {_GUIDELINE: _with_images(client, number, spec, get(client, number)[_GUIDELINE] or "")}
            client.patch(f"/api/projects/{number}/", changed, action="showing the guideline's images")
    else:
        number = int(existing["id"])
        mark = project_mark.read(existing["description"])
        genuine = mark is not None and mark.number == number
        pipeline = project_mark.pipeline_id(pipeline_file, mark.pipeline if mark and genuine else None)
        wanted = Mark(pipeline, spec.title, spec.labeler, number)
        if mark != wanted:
            _mark(client, number, existing["description"] or "", wanted)
        if _GUIDELINE in changed:
            changed[_GUIDELINE] = _with_images(client, number, spec, existing[_GUIDELINE] or "")
        if changed:
            client.patch(f"/api/projects/{number}/", changed, action=f"updating the project {spec.title!r}")
    if not storage.needs_images:
        storage.connect(client, number)
    return reference(client, number, spec.labeler)


def _created(client: Client, title: str, begun: Mark, settings: Mapping[str, Any]) -> int:
    body = {"title": title, "maximum_annotations": 1, "description": begun.written(""), **settings}
    return int(client.post("/api/projects/", body, action=f"creating the project {begun.title!r}")["id"])


def _begun(client: Client, begun: Mark) -> list[int]:
    """Projects that we made and did not get to mark: the answer was lost, or somebody killed us."""
    return [one.number for one in project_mark.listed(client) if one.mark == begun and not one.n_tasks]


def _mark(client: Client, number: int, description: str, mark: Mark) -> None:
    path, marked = f"/api/projects/{number}/", {"description": mark.written(description)}
    try:
        client.changes.until_done(lambda: client.patch(path, marked, action="marking the project as ours"))
    except AnnotationToolError as error:
        if _NOT_FOUND in str(error):  # another first push found it left over
            raise TransientError(str(error)) from error
        raise


def _only_one(client: Client, made: int, begun: Mark, pipeline_file: Path | None) -> int:
    """Choose the oldest of projects that were made at once; give ours up if it is another.

    It is not deleted: deletions that overlap can leave a server that counts no answers any more. It is empty,
    and push's line names it.
    """
    same = {
        one.number: one.mark.pipeline
        for one in project_mark.listed(client)
        if one.genuine and one.mark and (one.mark.title, one.mark.labeler) == (begun.title, begun.labeler)
    }
    oldest = min([*same, made])
    if oldest != made:
        project_mark.adopt(pipeline_file, same[oldest])
        _mark(client, made, "", begun)
    return oldest


def _refuse_losses(client: Client, existing: Mapping[str, Any], spec: ProjectSpec) -> None:
    """An update must not orphan what people have drawn, submitted or not."""
    there = reference(client, int(existing["id"]))
    known = label_config.labels_by_control(spec.categories, spec.choices, spec.attributes)
    if spec.question:
        known = {label_config.COMPARISON: frozenset()}
    for control, names in labels_in_use.lost(client, there, str(existing[_CONFIG]), known).items():
        what = f"categories {', '.join(names)}" if names else f"the control {control}"
        raise AnnotationToolError(
            f"the project {spec.title!r} holds work of people with {what}, "
            "which the taxonomy does not name: put it back, or set labelstudio.project to a new title"
        )
