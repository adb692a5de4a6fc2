"""The labelling interface made from the taxonomy, and the guideline."""

from __future__ import annotations

import pytest
from label_studio_sdk.label_interface import LabelInterface

from curate.adapters.labelstudio import encode_regions, guideline, label_config, project
from curate.errors import AnnotationToolError
from curate.ports import ImageChoice, TaskDraft
from curate.records import Category
from tests import builders

CATEGORIES = (
    Category("stop_sign", 0, ("stop sign",), 0.4, "#e6194b", 'Red octagon, "STOP" & <white>'),
    Category("parking_sign", 1, ("parking sign",), 0.4, "#4363d8"),
)


def test_all_controls_have_the_same_labels_and_colours() -> None:
    controls = LabelInterface(label_config.label_config(CATEGORIES))
    for name in (encode_regions.BOX, encode_regions.MASK, encode_regions.POLYGON):
        control = controls.get_control(name)
        assert list(control.labels) == ["stop_sign", "parking_sign"]
        colours = [control.labels_attrs[label].attr["background"] for label in control.labels]
        assert colours == ["#e6194b", "#4363d8"]


def test_the_servers_own_check_accepts_our_suggestions() -> None:
    row = builders.annotation("one", "stop_sign", (10, 10, 60, 60), origin="model", score=0.9)
    task = TaskDraft("t", row.image_id, "x.jpg", builders.WIDTH, builders.HEIGHT, 1, (row,))
    names = tuple(category.name for category in CATEGORIES)
    controls = LabelInterface(label_config.label_config(CATEGORIES))
    prediction = {"result": encode_regions.encode_task(task, names), "model_version": "m", "score": 0.9}
    assert controls.validate_prediction(prediction, return_errors=True) == []


def test_questions_about_the_image_are_choices() -> None:
    weather = ImageChoice("weather", ("sun", "rain & <snow>"))
    flaws = ImageChoice("flaws", ("blurred", "dark"), multiple=True)
    controls = LabelInterface(label_config.label_config(CATEGORIES, (weather, flaws)))
    assert list(controls.get_control("weather").labels) == ["sun", "rain & <snow>"]
    assert controls.get_control("weather").attr["choice"] == "single"
    assert controls.get_control("flaws").attr["choice"] == "multiple"


def test_the_title_of_a_labelers_own_project() -> None:
    assert project.title_for("signs", None) == "signs"
    assert project.title_for("signs", "a@x.org") == "signs [a@x.org]"
    with pytest.raises(AnnotationToolError, match=r"shorten labelstudio\.project"):
        project.title_for("signs " * 7, "somebody@example.org")


def test_the_names_are_read_back() -> None:
    assert project.category_names(label_config.label_config(CATEGORIES)) == ("stop_sign", "parking_sign")


@pytest.mark.parametrize(
    "config", ["", "<View>", "<View></View>", '<View><RectangleLabels name="other"/></View>']
)
def test_a_configuration_of_somebody_else_is_named(config: str) -> None:
    with pytest.raises(AnnotationToolError, match="was not made by curate"):
        project.category_names(config)


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("", ""),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("# Title\ntext", "<h1>Title</h1>\n<p>text</p>"),
        (
            "intro:\n- **a** thing\n- `b`\nend",
            "<p>intro:</p>\n<ul><li><b>a</b> thing</li><li><code>b</code></li></ul>\n<p>end</p>",
        ),
        ("a < b & <script>x</script>", "<p>a &lt; b &amp; &lt;script&gt;x&lt;/script&gt;</p>"),
        ("-5 degrees", "<p>-5 degrees</p>"),
    ],
)
def test_guidelines_become_html(markdown: str, html: str) -> None:
    assert guideline.to_html(markdown) == html
