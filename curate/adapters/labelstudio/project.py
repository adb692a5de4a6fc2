"""The labelling project: made from the taxonomy, or adopted if it is ours and fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.adapters.labelstudio import guideline, label_config
from curate.adapters.labelstudio.client import Client
from curate.adapters.labelstudio.image_storage import Storage
from curate.adapters.labelstudio.label_config import category_names
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef, ProjectSpec

__all__ = ["category_names", "ensure", "find", "plan", "projects", "reference", "title_for"]
_PAGE = 1000
_TITLE_LIMIT = 50  # characters, of the server
_CONFIG = "label_config"
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
            f"the project's title {whole!r} has {len(whole)} characters, at most {_TITLE_LIMIT} are allowed: "
            "shorten labelstudio.project"
        )
    return whole


def projects(client: Client, title: str) -> dict[str | None, ProjectRef]:
    """The project of that title (None) and those of single labelers.

    Raises:
        AnnotationToolError: Two of them have the same title.
    """
    found: dict[str | None, ProjectRef] = {}
    for number, named in _titles(client):
        own = named.startswith(f"{title} [") and named.endswith("]")
        if named != title and not own:
            continue
        labeler = named[len(title) + 2 : -1] if own else None
        if labeler in found:
            raise _twins(client, named)
        found[labeler] = reference(client, number, labeler)
    return found


def find(client: Client, title: str) -> Any | None:
    """The server's record of the project of that title; None if there is none.

    Raises:
        AnnotationToolError: Several projects have that title.
    """
    numbers = [number for number, named in _titles(client) if named == title]
    if len(numbers) > 1:
        raise _twins(client, title)
    return get(client, numbers[0]) if numbers else None


def get(client: Client, number: int) -> Any:
    """The server's record of a project."""
    return client.get(f"/api/projects/{number}/", action="reading the project")


def reference(client: Client, number: int, labeler: str | None = None) -> ProjectRef:
    """Number and address of a project."""
    return ProjectRef(number, f"{client.connection.url}/projects/{number}/data", labeler)


def plan(client: Client, spec: ProjectSpec) -> tuple[Any | None, dict[str, Any]]:
    """The project if it exists, and the settings that must be given to it. Changes nothing.

    Raises:
        AnnotationToolError: A category or control that people used would vanish.
    """
    existing = find(client, title_for(spec.title, spec.labeler))
    wanted = {
        _CONFIG: label_config.label_config(spec.categories, spec.choices),
        "expert_instruction": guideline.to_html(
            spec.instructions, categories=spec.categories, folder=spec.instructions_folder
        ),
        **_SETTINGS,
    }
    if existing is None:
        return None, wanted
    changed = {
        name: value
        for name, value in wanted.items()
        if not (label_config.same(existing[name], value) if name == _CONFIG else existing.get(name) == value)
    }
    if _CONFIG in changed:
        _refuse_losses(client, existing, spec)
    return existing, changed


def ensure(client: Client, spec: ProjectSpec, storage: Storage) -> ProjectRef:
    """Create the project, or adopt the one of that title and bring it up to date.

    Raises:
        AnnotationToolError: A category or control that people used would vanish, or the server does not serve
            the images.
    """
    return client.changes.until_done(lambda: _ensure(client, spec, storage))


def _ensure(client: Client, spec: ProjectSpec, storage: Storage) -> ProjectRef:
    existing, changed = plan(client, spec)
    if existing is None:
        title = title_for(spec.title, spec.labeler)
        body = {"title": title, "maximum_annotations": 1, **changed}
        number = int(client.post("/api/projects/", body, action=f"creating the project {title!r}")["id"])
    else:
        number = int(existing["id"])
        if changed:
            client.patch(f"/api/projects/{number}/", changed, action=f"updating the project {spec.title!r}")
    if not storage.needs_images:
        storage.connect(client, number)
    return reference(client, number, spec.labeler)


def _refuse_losses(client: Client, existing: Mapping[str, Any], spec: ProjectSpec) -> None:
    """An update must not orphan what people have drawn, submitted or not."""
    summary = client.get(f"/api/projects/{existing['id']}/summary/", action="reading what was labelled")
    known = label_config.labels_by_control(spec.categories, spec.choices)
    for source in ("created_labels", "created_labels_drafts"):
        for control, counts in (summary.get(source) or {}).items():
            if not counts or control == label_config.SKIP_REASON:
                continue
            lost = sorted(set(counts) - known[control]) if control in known else [control]
            if lost:
                what = "categories" if control in known else "the control"
                raise AnnotationToolError(
                    f"the project {spec.title!r} holds work of people with {what} {', '.join(lost)}, "
                    "which the taxonomy does not name: put it back, or set labelstudio.project to a new title"
                )


def _titles(client: Client) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    total = 1
    while len(found) < total:
        reply = client.get(
            "/api/projects/",
            action="looking for the project",
            page=len(found) // _PAGE + 1,
            page_size=_PAGE,
            include="id,title",
        )
        found += [(int(one["id"]), str(one["title"])) for one in reply["results"]]
        total = int(reply["count"]) if reply["results"] else 0
    return found


def _twins(client: Client, title: str) -> AnnotationToolError:
    return AnnotationToolError(
        f"several projects on {client.connection.url} are called {title!r}: "
        "rename all but one, or set labelstudio.project to another title"
    )
