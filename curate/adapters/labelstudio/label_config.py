"""The labelling interface as XML: what people can draw and choose."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from curate.adapters.labelstudio import encode_regions
from curate.errors import AnnotationToolError
from curate.ports import ImageChoice
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
SKIP_REASON = "skip_reason"  # the control for a few words with a skip; Label Studio itself has none
NOT_LABELS = frozenset({SKIP_REASON, encode_regions.CAPTION})  # controls that say nothing of the image


def label_config(
    categories: Sequence[Category], choices: Sequence[ImageChoice] = (), *, notes: bool = False
) -> str:
    """One image; beside it boxes, brushes and polygons with the same labels and colours, and questions.

    With `notes` a task's note stands above the image, and each object's caption in the list of regions.
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
    for choice in choices:
        ET.SubElement(panel, "Header", value=choice.name, size="6")
        settings = {"choice": "multiple" if choice.multiple else "single", "showInline": "true"}
        asked = ET.SubElement(
            panel, "Choices", {"name": choice.name, "toName": encode_regions.IMAGE, **settings}
        )
        for option in choice.options:
            ET.SubElement(asked, "Choice", value=option)
    if notes:
        ET.SubElement(panel, "TextArea", _CAPTION)
    ET.SubElement(panel, "Header", value="If you skip: why?", size="6")
    reason = {"name": SKIP_REASON, "toName": encode_regions.IMAGE, "rows": "1", "editable": "true"}
    ET.SubElement(
        panel, "TextArea", {**reason, "maxSubmissions": "1", "placeholder": "write, then press Enter"}
    )
    ET.indent(view)
    return ET.tostring(view, encoding="unicode")


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
    categories: Sequence[Category], choices: Sequence[ImageChoice]
) -> dict[str, frozenset[str]]:
    """What can be chosen in each control."""
    names = frozenset(category.name for category in categories)
    controls = {name: names for _, _, name, _ in _CONTROLS}
    return {**controls, **{choice.name: frozenset(choice.options) for choice in choices}}


def same(there: object, wanted: object) -> bool:
    """Whether two configurations mean the same, whatever white space they have."""
    try:
        return ET.canonicalize(str(there), strip_text=True) == ET.canonicalize(str(wanted), strip_text=True)
    except ET.ParseError:
        return False
