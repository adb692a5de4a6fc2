"""The labelling interface as XML: what people can draw and choose."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from curate.adapters.labelstudio import encode_regions
from curate.errors import AnnotationToolError
from curate.ports import ImageChoice, ObjectAttribute
from curate.records import Category

# One set of categories three times: a box, a mask painted or a mask drawn point by point.
_CONTROLS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("Box", "RectangleLabels", encode_regions.BOX, {"canRotate": "false", "strokeWidth": "2"}),
    ("Mask, painted", "BrushLabels", encode_regions.MASK, {}),
    (
        "Mask, point by point",
        "PolygonLabels",
        encode_regions.POLYGON,
        {"strokeWidth": "2", "pointSize": "small"},
    ),
)
# What can be chosen stands beside the image: below it, people would have to scroll for every label.
_ROW = "display: flex; gap: 16px; align-items: flex-start"
_PICTURE = "flex: 1; min-width: 0"
_PANEL = "flex: none; width: 200px"
_NOTE = "white-space: pre-line; padding: 8px; background: #fff7d6; color: #222"
_CAPTION = {
    "name": encode_regions.CAPTION, "toName": encode_regions.IMAGE, "perRegion": "true",
    "displayMode": "region-list", "editable": "false", "maxSubmissions": "1",
}  # fmt: skip
COMPARISON = "better"  # the control of a project that compares two pictures
_SIDES = ("left", "right")
SKIP_REASON = "skip_reason"  # the control for a few words with a skip; Label Studio itself has none
NOT_LABELS = frozenset({SKIP_REASON, encode_regions.CAPTION})  # controls that say nothing of the image


def label_config(
    categories: Sequence[Category],
    choices: Sequence[ImageChoice] = (),
    attributes: Sequence[ObjectAttribute] = (),
    *,
    notes: bool = False,
) -> str:
    """One image; beside it boxes, brushes and polygons with the same labels and colors, and questions.

    Questions about an object are there while it is selected. With `notes` a task's note stands above the
    image, and each object's caption in the list of regions.
    """
    view = ET.Element("View", style=_ROW)
    picture = ET.SubElement(view, "View", style=_PICTURE)
    ET.SubElement(picture, "Header", value="$file", size="6")
    if notes:
        note = ET.SubElement(picture, "View", style=_NOTE)
        ET.SubElement(note, "Header", value="$note", size="6")
    ET.SubElement(
        picture, "Image", name=encode_regions.IMAGE, value="$image", zoom="true", rotateControl="false"
    )
    panel = ET.SubElement(view, "View", style=_PANEL)
    for heading, tag, name, settings in _CONTROLS:
        ET.SubElement(panel, "Header", value=heading, size="6")
        control = ET.SubElement(panel, tag, {"name": name, "toName": encode_regions.IMAGE, **settings})
        for category in categories:
            label = ET.SubElement(control, "Label", {"value": category.name, "background": category.color})
            if category.meaning:
                label.set("hint", category.meaning)
    for attribute in attributes:
        _ask(ET.SubElement(panel, "View", _asked_of(attribute)), attribute, perRegion="true")
    for choice in choices:
        _ask(panel, choice)
    if notes:
        ET.SubElement(panel, "TextArea", _CAPTION)
    ET.SubElement(panel, "Header", value="If you skip: why?", size="6")
    reason = {"name": SKIP_REASON, "toName": encode_regions.IMAGE, "rows": "1", "editable": "true"}
    ET.SubElement(
        panel, "TextArea", {**reason, "maxSubmissions": "1", "placeholder": "write, then press Enter"}
    )
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def comparison_config(question: str) -> str:
    """Two pictures beside each other, at their own size as far as the page has room; one is to be chosen."""
    view = ET.Element("View")
    ET.SubElement(view, "Header", value=question, size="4")
    ET.SubElement(view, "Pairwise", name=COMPARISON, toName=",".join(_SIDES))
    pictures = ET.SubElement(view, "View", style="display: flex; gap: 16px; align-items: flex-start")
    for side in _SIDES:
        place = ET.SubElement(pictures, "View", style="flex: 1; min-width: 0")
        ET.SubElement(
            place, "Image", name=side, value=f"${side}", zoom="true", rotateControl="false",
            defaultZoom="original",
        )  # fmt: skip
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


def _ask(panel: ET.Element, question: ImageChoice | ObjectAttribute, **settings: str) -> None:
    ET.SubElement(panel, "Header", value=question.name, size="6")
    settings |= {"choice": "multiple" if question.multiple else "single", "showInline": "true"}
    named = {"name": question.name, "toName": encode_regions.IMAGE}
    asked = ET.SubElement(panel, "Choices", {**named, **settings})
    for option in question.options:
        ET.SubElement(asked, "Choice", value=option)


def _asked_of(attribute: ObjectAttribute) -> dict[str, str]:
    """When a question about an object is on the page."""
    only = {"whenLabelValue": ",".join(attribute.categories)} if attribute.categories else {}
    return {"visibleWhen": "region-selected", **only}


def category_names(config: str) -> tuple[str, ...]:
    """The labels of the rectangle control of a project's configuration.

    Raises:
        AnnotationToolError: The configuration is not one of ours.
    """
    try:
        view = ET.fromstring(config)  # noqa: S314 - from the server that we were told to trust
        control = view.find(f".//RectangleLabels[@name='{encode_regions.BOX}']")
    except ET.ParseError:
        control = None
    if control is None:
        raise AnnotationToolError(
            f"the project's configuration has no RectangleLabels control called {encode_regions.BOX!r}: "
            "it was not made by curate, or was changed by hand; run `dvc repro --force push`"
        )
    return tuple(str(label.get("value")) for label in control.iter("Label"))


def labels(config: str) -> dict[str, tuple[str, ...]]:
    """The labels of each control that people draw with.

    Raises:
        AnnotationToolError: The configuration is not one of ours.
    """
    category_names(config)
    view = ET.fromstring(config)  # noqa: S314 - from the server that we were told to trust
    controls = {name: view.find(f".//{tag}[@name='{name}']") for _, tag, name, _ in _CONTROLS}
    return {
        name: tuple(str(label.get("value")) for label in control.iter("Label"))
        for name, control in controls.items()
        if control is not None
    }


def labels_by_control(
    categories: Sequence[Category],
    choices: Sequence[ImageChoice],
    attributes: Sequence[ObjectAttribute] = (),
) -> dict[str, frozenset[str]]:
    """What can be chosen in each control."""
    names = frozenset(category.name for category in categories)
    controls = {name: names for _, _, name, _ in _CONTROLS}
    asked: tuple[ImageChoice | ObjectAttribute, ...] = (*choices, *attributes)
    return {**controls, **{one.name: frozenset(one.options) for one in asked}}


def same(there: object, wanted: object) -> bool:
    """Whether two configurations mean the same, whatever white space they have."""
    try:
        return ET.canonicalize(str(there), strip_text=True) == ET.canonicalize(str(wanted), strip_text=True)
    except ET.ParseError:
        return False
