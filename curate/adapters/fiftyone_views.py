"""How the app opens: colors of the taxonomy, the sidebar, and saved views that answer a question each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from curate import fingerprint
from curate.adapters import fiftyone_rules, fiftyone_values
from curate.adapters.fiftyone_content import Content
from curate.adapters.fiftyone_dataset import EVALUATED
from curate.adapters.fiftyone_documents import DIGEST, SYNCED
from curate.adapters.fiftyone_edits import EDITABLE
from curate.adapters.fiftyone_samples import (
    ANNOTATOR,
    CONSENSUS,
    DISAGREEMENT,
    DISPUTED,
    DROPPED,
    KEPT,
    MODEL,
    OUTLINES,
    REJECTED,
    UNREADABLE,
)

EVALUATION: Final = "model_against_consensus"
FIRST_VIEW: Final = KEPT
LOOK: Final = "curate_look"  # of the dataset's info: digest of what it was dressed in
_Choose = Callable[[Any], Any]


def look(content: Content, colors: Mapping[str, str]) -> str:
    """Hex SHA-256 that changes with what `dress` sets: colors, categories, fields, and the views' code."""
    layout, rules = content.layout, [rule.name for rule in content.rules]
    shown = (layout.label_fields, layout.outlined, list(layout.value_fields.items()), rules)
    text = json.dumps([fingerprint.digest(__name__), list(colors.items()), shown])
    return hashlib.sha256(text.encode()).hexdigest()


def is_dressed(dataset: Any, content: Content, colors: Mapping[str, str]) -> bool:
    """Whether `dress` would set what it set before, and nobody has deleted one of our views."""
    there = set(dataset.list_saved_views())
    return dataset.info.get(LOOK) == look(content, colors) and there.issuperset(_views(content))


def dress(fo: Any, dataset: Any, content: Content, colors: Mapping[str, str]) -> None:
    """Set colors and sidebar, and save our views; those of people stay.

    None of it depends on what single samples hold.
    """
    shown = [*content.layout.label_fields, *(name + OUTLINES for name in content.layout.outlined)]
    values = [{"value": name, "color": color} for name, color in colors.items()]
    fields = [{"path": name, "colorByAttribute": "label", "valueColors": values} for name in shown]
    app = dataset.app_config
    app.color_scheme = fo.ColorScheme(color_by="value", fields=fields, opacity=0.5)
    # A saved view holds its own fields only: of those, whatever stands here is shown.
    app.active_fields = fo.ActiveFields(paths=shown)
    app.sidebar_groups = _sidebar(fo, dataset, shown)
    dataset.save()
    _let_people_edit(dataset, list(colors))
    for name, (labels, choose) in _views(content).items():
        hidden = [one for one in shown if one.removesuffix(OUTLINES) not in labels]
        view = choose(dataset.view())
        dataset.save_view(name, view.exclude_fields(hidden) if hidden else view, overwrite=True)
    dataset.info[LOOK] = look(content, colors)
    dataset.save()


def _let_people_edit(dataset: Any, categories: Sequence[str]) -> None:
    """Offer *Annotate* for the labels whose edits are decisions, with the categories of the taxonomy."""
    fields = [name for name in EDITABLE if name in dataset.get_field_schema()]
    kind = {"component": "dropdown", "classes": list(categories)} if categories else {"component": "text"}
    for name in fields:
        dataset.update_label_schema(name, {"type": "detections", "attributes": [], **kind})
    dataset.activate_label_schemas([name for name in fields if name not in dataset.active_label_schemas])


def evaluate(dataset: Any) -> None:
    """FiftyOne's own evaluation of the model against the consensus, where there is none of these samples."""
    code = fingerprint.digest(__name__)
    if dataset.info.get(EVALUATED) != code:
        _evaluate(dataset)
        dataset.info[EVALUATED] = code
        dataset.save()


def _evaluate(dataset: Any) -> None:
    """Compare the model's boxes with the consensus, for the app's panels and filters."""
    both = dataset.exists(MODEL).exists(CONSENSUS)
    if EVALUATION in dataset.list_evaluations():
        dataset.delete_evaluation(EVALUATION)
    if len(both):
        both.evaluate_detections(
            MODEL, gt_field=CONSENSUS, eval_key=EVALUATION, iou=0.5, compute_mAP=False, progress=False
        )


def _views(content: Content) -> dict[str, tuple[tuple[str, ...], _Choose]]:
    """Label fields to show and samples to choose, by name of the view."""
    people = tuple(name for name in content.layout.label_fields if name.startswith(ANNOTATOR))
    best = (CONSENSUS,) if CONSENSUS in content.layout.label_fields else content.layout.label_fields[-1:]
    views: dict[str, tuple[tuple[str, ...], _Choose]] = {
        KEPT: (best, lambda view: view.match_tags(KEPT)),
        DROPPED: ((), lambda view: view.match_tags(DROPPED).sort_by("drop_reason")),
        "duplicate groups": (
            (),
            # Inside a group the keeper goes first: null sorts before every reason.
            lambda view: view.exists("dup_group").group_by("dup_group", order_by="drop_reason"),
        ),
        "doubtful duplicates": ((), lambda view: view.exists("dup_correlation").sort_by("dup_correlation")),
        "most blurred": (
            best,
            lambda view: view.exists("quality_blur").sort_by("quality_blur", reverse=True),
        ),
    }
    if MODEL in content.layout.label_fields:
        views["rejected boxes"] = ((MODEL, REJECTED), lambda view: view.exists(REJECTED))
    if people:
        views["why people look"] = ((MODEL,), lambda view: view.exists("plan_reason").sort_by("plan_reason"))
        views["unreadable answers"] = (people, lambda view: view.match_tags(UNREADABLE))
    if CONSENSUS in content.layout.label_fields:
        everybody = (*people, CONSENSUS, DISPUTED)
        views["disagreements"] = (
            everybody,
            lambda view: view.match_tags(DISAGREEMENT).sort_by("agreement_f1"),
        )
        views["label errors"] = (
            (MODEL, CONSENSUS),
            lambda view: view.exists("label_error").sort_by("label_error", reverse=True),
        )
        views["least sure"] = ((CONSENSUS,), lambda view: view.exists("confidence").sort_by("confidence"))
    for rule in content.rules:
        views[fiftyone_rules.view_name(rule.name)] = best, _about(rule.name)
    if REJECTED not in content.layout.label_fields:
        views.pop("rejected boxes", None)
    return views


def _about(rule: str) -> _Choose:
    return lambda view: view.match({fiftyone_rules.FIELD: rule})


def _sidebar(fo: Any, dataset: Any, shown: list[str]) -> list[Any]:
    """What a curator filters by first; technical fields are there, but folded."""
    schema = dataset.get_field_schema()
    groups = {
        name: [path for path in paths if path in schema] for name, paths in fiftyone_values.GROUPS.items()
    }
    prefixes = (fiftyone_values.ATTRIBUTE, fiftyone_values.ANSWER)
    groups["attributes"] = [name for name in schema if name.startswith(prefixes)]
    placed = {path for paths in groups.values() for path in paths} | set(shown)
    others = [path for path in schema if path not in placed | {"tags", "metadata"}]
    others.sort(key=lambda path: path in {DIGEST, SYNCED})
    metadata = [path for path in dataset.get_field_schema(flat=True) if path.startswith("metadata.")]
    return [
        fo.SidebarGroupDocument(name="tags", paths=["tags", "_label_tags"], expanded=True),
        fo.SidebarGroupDocument(name="labels", paths=shown, expanded=True),
        *(fo.SidebarGroupDocument(name=name, paths=paths) for name, paths in groups.items() if paths),
        fo.SidebarGroupDocument(name="other", paths=others, expanded=False),
        fo.SidebarGroupDocument(name="metadata", paths=metadata, expanded=False),
    ]
