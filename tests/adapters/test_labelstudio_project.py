"""The labelling interface made from the taxonomy, and the guideline."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from label_studio_sdk.label_interface import LabelInterface

from curate.adapters.labelstudio import encode_regions, guideline, label_config, project, project_mark
from curate.adapters.labelstudio.project_mark import Listed, Mark
from curate.errors import AnnotationToolError
from curate.ports import ImageChoice, ObjectAttribute, TaskDraft
from curate.records import Category
from tests import builders

CATEGORIES = (
    Category("stop_sign", 0, ("stop sign",), 0.4, "#e6194b", 'Red octagon, "STOP" & <white>'),
    Category("parking_sign", 1, ("parking sign",), 0.4, "#4363d8"),
)


def test_all_controls_have_the_same_labels_and_colors() -> None:
    controls = LabelInterface(label_config.label_config(CATEGORIES))
    for name in (encode_regions.BOX, encode_regions.MASK, encode_regions.POLYGON):
        control = controls.get_control(name)
        assert list(control.labels) == ["stop_sign", "parking_sign"]
        colors = [control.labels_attrs[label].attr["background"] for label in control.labels]
        assert colors == ["#e6194b", "#4363d8"]


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


def test_questions_about_an_object_are_choices_of_the_selected_region() -> None:
    worn = ObjectAttribute("worn", ("yes", "no"), categories=("stop_sign",))
    config = label_config.label_config(CATEGORIES, (), (worn,))
    control = LabelInterface(config).get_control("worn")
    assert (list(control.labels), control.attr["perRegion"]) == (["yes", "no"], "true")
    assert 'visibleWhen="region-selected" whenLabelValue="stop_sign"' in config
    assert label_config.labels_by_control(CATEGORIES, (), (worn,))["worn"] == {"yes", "no"}


def test_the_title_of_a_labelers_own_project() -> None:
    assert project.title_for("signs", None) == "signs"
    assert project.title_for("signs", "a@x.org") == "signs [a@x.org]"
    with pytest.raises(AnnotationToolError, match=r"shorten labelstudio\.project") as info:
        project.title_for("signs " * 7, "somebody@example.org")
    assert "somebody" not in str(info.value)


def test_other_projects_are_named_without_the_addresses_in_their_titles() -> None:
    own = Mark("us", "signs", "ann@x.org", 1)
    found = [
        Listed(1, "of ann@x.org", own, 3),
        Listed(2, "signs [ann@x.org]", own, 3),
        Listed(3, "signs [bob@x.org]", Mark("them", "signs", "bob@x.org", 3), 3),
        Listed(4, "signs [cem@x.org]", None, 3),
    ]
    assert project_mark.strangers(found, "signs", found[:1]) == [
        "project 1 'of ***' is 'signs [***]', renamed",
        "project 2 'signs [***]' is a copy of project 1",
        "project 3 'signs [***]' belongs to another pipeline",
        "project 4 'signs [***]' was not made by this pipeline",
    ]
    twins = [replace(found[3], number=number) for number in (4, 5)]
    with pytest.raises(AnnotationToolError, match=r"several projects are called 'signs \[\*\*\*\]'"):
        project_mark.ours(twins, "signs", "us")


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
        ("one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>"),
        ("# Title\ntext", "<h1>Title</h1>\n<p>text</p>"),
        (
            "1. one\n   - *a*\n2. two",
            "<ol>\n<li>one\n<ul>\n<li><em>a</em></li>\n</ul>\n</li>\n<li>two</li>\n</ol>",
        ),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "<table>"),
        ("~~not this~~", "<s>not this</s>"),
        ("a < b & <script>x</script>", "<p>a &lt; b &amp; &lt;script&gt;x&lt;/script&gt;</p>"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[click](javascript:alert(1))", "<p>[click](javascript:alert(1))</p>"),
        ('[a](https://x.org "b\\" onclick=\\"c")', 'title="b&quot; onclick=&quot;c"'),
        ("-5 degrees", "<p>-5 degrees</p>"),
    ],
)
def test_guidelines_become_html_that_runs_nothing(markdown: str, html: str) -> None:
    assert html in guideline.to_html(markdown)
    assert bool(guideline.to_html(markdown)) == bool(markdown)


def test_the_guideline_ends_with_what_the_categories_mean() -> None:
    html = guideline.to_html("Be kind.", categories=CATEGORIES)
    assert html.endswith(
        "<h2>Categories</h2>\n"
        "<ul><li><b>stop_sign</b>: Red octagon, &quot;STOP&quot; &amp; &lt;white&gt;</li></ul></div>"
    )


def test_images_of_the_guideline_are_shown_from_where_they_were_uploaded(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(b"PNG")
    text = "![how](a%20b.png) ![far](https://x.org/y.png)"
    ((name, content),) = guideline.images(text, tmp_path).items()
    assert (name, content) == (f"guideline-{hashlib.sha256(b'PNG').hexdigest()[:12]}.png", b"PNG")
    assert f'<img src="{name}" alt="how" />' in guideline.to_html(text, folder=tmp_path)  # not there yet
    there = {name: f"/sub/data/upload/7/0a1b2c3d-{name}"}
    html = guideline.to_html(text, folder=tmp_path, addresses=there)
    assert f'<img src="{there[name]}" alt="how" />' in html
    assert '<img src="https://x.org/y.png" alt="far" />' in html
    assert guideline.addresses(html) == there
    with pytest.raises(AnnotationToolError, match=r"none\.png, which cannot be read"):
        guideline.to_html("![x](none.png)", folder=tmp_path)
    with pytest.raises(AnnotationToolError, match=r"text\.svg: expected one of"):
        guideline.to_html("![x](text.svg)", folder=tmp_path)
    (tmp_path / "large.png").write_bytes(b"x" * 2_000_001)
    with pytest.raises(AnnotationToolError, match="make it smaller"):
        guideline.images("![x](large.png)", tmp_path)


def test_what_the_server_would_take_out_is_written_otherwise() -> None:
    html = guideline.to_html("3. three\n4. four\n\n| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<ol>\n<li value="3">three</li>\n<li>four</li>' in html
    assert '<td align="right">2</td>' in html
    assert "style=" not in html


def test_the_same_guideline_is_recognized_however_the_server_writes_it() -> None:
    ours = guideline.to_html('a "b" & c\n\n---\n![x](https://x.org/y.png)')
    theirs = ours.replace("&quot;", '"').replace(" />", ">").replace("<hr>", "<hr/>")
    assert ours != theirs
    assert guideline.same(theirs, ours)
    assert not guideline.same(theirs.replace("y.png", "z.png"), ours)
    assert not guideline.same(theirs.replace("c</p>", "d</p>"), ours)


def test_the_page_names_the_file_and_has_room_for_the_reason_of_a_skip() -> None:
    config = label_config.label_config(CATEGORIES)
    assert '<Header value="$file"' in config
    control = LabelInterface(config).get_control(label_config.SKIP_REASON)
    assert control.tag == "TextArea"
