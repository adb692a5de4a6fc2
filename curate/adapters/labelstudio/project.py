"""The labelling project: made from the taxonomy, or adopted if it is ours and fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from curate.adapters.labelstudio import codec, guideline
from curate.adapters.labelstudio.client import Client, translated
from curate.errors import AnnotationToolError
from curate.ports import ProjectRef, ProjectSpec
from curate.records import Category

_PAGE = 100
_STORAGE_TITLE = "curate images"
# Skipped counts as looked at; an image without an object is an answer.
_SETTINGS = {
    "show_instruction": True,
    "show_skip_button": True,
    "enable_empty_annotation": True,
    "show_collab_predictions": True,
    "skip_queue": "IGNORE_SKIPPED",
}


def label_config(categories: Sequence[Category]) -> str:
    """The labelling interface as XML: one image, rectangles and brushes with the same labels and colours."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=codec.IMAGE, value="$image", zoom="true", rotateControl="false")
    for tag, name, settings in (
        ("RectangleLabels", codec.BOX, {"canRotate": "false", "strokeWidth": "2"}),
        ("BrushLabels", codec.MASK, {}),
    ):
        control = ET.SubElement(view, tag, {"name": name, "toName": codec.IMAGE, **settings})
        for category in categories:
            label = ET.SubElement(control, "Label", {"value": category.name, "background": category.color})
            if category.description:
                label.set("hint", category.description)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def category_names(config: str) -> tuple[str, ...]:
    """The labels of the rectangle control of a project's configuration.

    Raises:
        AnnotationToolError: The configuration is not one of ours.
    """
    try:
        view = ET.fromstring(config)  # noqa: S314 - from the server that we were told to trust
        control = view.find(f".//RectangleLabels[@name='{codec.BOX}']")
    except ET.ParseError:
        control = None
    if control is None:
        raise AnnotationToolError(
            f"the project's configuration has no RectangleLabels control called {codec.BOX!r}: "
            "it was not made by curate, or was changed by hand; run `dvc repro --force push`"
        )
    return tuple(str(label.get("value")) for label in control.iter("Label"))


def find(client: Client, title: str) -> Any | None:
    """The SDK's record of the project of that title; None if there is none.

    Raises:
        AnnotationToolError: Several projects have that title.
    """
    with translated(client.connection, "looking for the project"):
        listed = client.sdk.projects.list(page_size=_PAGE, include="id,title")
        numbers = [project.id for project in listed if project.title == title]
        if len(numbers) > 1:
            raise AnnotationToolError(
                f"{len(numbers)} projects on {client.connection.url} are called {title!r}: "
                "rename all but one, or set labelstudio.project to another title"
            )
        return client.sdk.projects.get(numbers[0]) if numbers else None


def reference(client: Client, number: int) -> ProjectRef:
    """Number and address of a project."""
    return ProjectRef(number, f"{client.connection.url}/projects/{number}/data")


def ensure(client: Client, spec: ProjectSpec) -> ProjectRef:
    """Create the project, or adopt the one of that title and bring it up to date.

    Raises:
        AnnotationToolError: A category or control that people used would vanish, or the server does not serve
            the folder of images.
    """
    wanted = {
        "label_config": label_config(spec.categories),
        "expert_instruction": guideline.to_html(spec.instructions),
        **_SETTINGS,
    }
    existing = find(client, spec.title)
    if existing is None:
        with translated(client.connection, f"creating the project {spec.title!r}"):
            number = int(client.sdk.projects.create(title=spec.title, maximum_annotations=1, **wanted).id)
    else:
        number = int(existing.id)
        changed = {
            name: value for name, value in wanted.items() if not _same(name, getattr(existing, name), value)
        }
        if "label_config" in changed:
            _refuse_losses(client, number, spec)
        if changed:
            client.patch(f"/api/projects/{number}/", changed, action=f"updating the project {spec.title!r}")
    _ensure_storage(client, number, spec)
    return reference(client, number)


def _same(name: str, there: Any, wanted: Any) -> bool:
    if name != "label_config":
        return bool(there == wanted)
    try:
        return ET.canonicalize(there, strip_text=True) == ET.canonicalize(wanted, strip_text=True)
    except (ET.ParseError, TypeError):
        return False


def _refuse_losses(client: Client, number: int, spec: ProjectSpec) -> None:
    """An update must not orphan what people have drawn."""
    summary = client.get(f"/api/projects/{number}/summary/", action="reading what was labelled")
    names = {category.name for category in spec.categories}
    for control, counts in (summary.get("created_labels") or {}).items():
        if not counts:
            continue
        lost = sorted(set(counts) - names) if control in (codec.BOX, codec.MASK) else [control]
        if lost:
            what = "categories" if control in (codec.BOX, codec.MASK) else "the control"
            raise AnnotationToolError(
                f"the project {spec.title!r} holds work of people with {what} {', '.join(lost)}, "
                "which the taxonomy does not name: put it back, or set labelstudio.project to a new title"
            )


def _ensure_storage(client: Client, number: int, spec: ProjectSpec) -> None:
    """Let the server serve the images to members of the project, and no other folder."""
    folder = spec.images_root.resolve()
    with translated(client.connection, "listing the folders that are served"):
        storages = client.sdk.import_storage.local.list(project=number)
        if any(storage.path == str(folder) for storage in storages):
            return
    try:
        with translated(client.connection, f"letting the server serve {spec.images_root}"):
            client.sdk.import_storage.local.create(
                project=number, path=str(folder), use_blob_urls=True, title=_STORAGE_TITLE
            )
    except AnnotationToolError as error:
        raise type(error)(
            f"{error}; a server of your own needs LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the folder above {spec.images_root}"
        ) from None
