"""What must hold before anything is released, and what is said where it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.agreement import plots
from curate.engines.local import LocalEngine
from curate.errors import ReleaseError
from curate.intervals import Figure
from curate.params import DedupeParams, GatesParams
from curate.ports import Casualty
from curate.stages import release
from curate.stages.split_leaks import Search
from tests import builders
from tests.builders import image_id
from tests.stages import test_release
from tests.stages.test_release import FOLDER, INPUTS, run

GATES = Path("metrics/gates.json")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> builders.SmallProject:
    monkeypatch.chdir(tmp_path)
    made = builders.small_project(tmp_path)
    figures = {("f1", "all", ""): Figure(0.9, 0.8, 0.96, 40)}
    plots.write_csv(INPUTS.figures, plots.FIGURES, plots.table(figures, {}))
    metrics = json.loads(Path("metrics/agreement.json").read_text())
    Path("metrics/agreement.json").write_text(json.dumps({**metrics, "counts": {"seen_by_several": 100}}))
    return made


def gates() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(GATES.read_text())}


def refused(name: str, **params: Any) -> str:
    with pytest.raises(ReleaseError) as caught:
        run(**params)
    assert not FOLDER.exists()
    assert not gates()[name]["passed"]
    return str(caught.value)


def test_the_built_in_gates_are_on_and_stand_in_the_card() -> None:
    run()
    assert {name: row["passed"] for name, row in gates().items()} == dict.fromkeys(
        ("licenses", "no_disputed", "no_leaks", "no_planted_errors"), True
    )
    assert (
        "| `licenses` | the license of every image is known | all hold | holds |"
        in (FOLDER / "README.md").read_text()
    )


def test_an_image_without_license_stops_the_release(project: builders.SmallProject) -> None:
    images = [
        replace(one, license=None) if one.image_id == image_id("one") else one for one in project.images
    ]
    builders.write_images(INPUTS.images, images)
    text = refused("licenses")
    assert text.startswith("1 of 4 gates failed, nothing was released: licenses: 1 images without license")
    assert "sources.yaml" in text


@pytest.mark.parametrize(
    ("review", "gate"),
    [("unreadable", "no_disputed"), ("presence", "no_disputed"), ("planted_error", "no_planted_errors")],
)
def test_what_agreement_holds_back_stops_the_release(
    project: builders.SmallProject, review: str, gate: str
) -> None:
    builders.write_support(Path(), project.annotations["consensus"], review=review)
    assert f"{gate}: 6 images" in refused(gate)


def test_a_disputed_object_that_is_an_area_to_ignore_is_fine(project: builders.SmallProject) -> None:
    rows = [
        replace(row, outcome="disputed", reject_reason="presence") if row.outcome == "object" else row
        for row in project.annotations["consensus"]
        if row.outcome == "object"
    ]
    builders.write_annotations(INPUTS.consensus, rows)
    builders.write_support(Path(), rows, review="presence")
    run()
    assert gates()["no_disputed"]["passed"]


def test_a_figure_below_its_bound_stops_the_release_and_says_what_would_help() -> None:
    wanted = GatesParams(require={"careful": "agreement.f1.lower >= 0.85"})
    text = refused("careful", gates=wanted)
    assert "careful: 0.900 (0.800 to 0.960): 0.050 short, wanted agreement.f1.lower >= 0.85" in text
    assert "about 300 more images" in text
    run(gates=GatesParams(require={"careful": "agreement.f1.lower >= 0.8"}))


def test_a_gate_that_may_fail_is_written_into_the_card() -> None:
    wanted = GatesParams(require={"careful": "agreement.f1.lower >= 0.85"})
    report = run(gates=wanted, allow_failed_gates={"careful": "a first look for the customer"})
    assert dict(report.counts)["failed gates, allowed"] == 1
    card = (FOLDER / "README.md").read_text()
    assert "**FAILED**, released all the same: a first look for the customer" in card
    assert gates()["careful"]["allowed"] == "a first look for the customer"


def test_all_that_fail_are_told_at_once_and_a_name_that_is_no_gate_is_an_error() -> None:
    wanted = GatesParams(require={"a": "agreement.f1.lower >= 0.85", "b": "agreement.kappa.lower >= 0.5"})
    text = refused("a", gates=wanted)
    assert text.startswith("2 of 6 gates failed")
    assert "b: no such figure" in text
    with pytest.raises(ReleaseError, match="names other, which is no gate that is on: those are licenses"):
        run(allow_failed_gates={"other": "why not"})


def test_a_gate_can_be_off(project: builders.SmallProject) -> None:
    builders.write_images(INPUTS.images, [replace(one, license=None) for one in project.images])
    run(gates=GatesParams(licenses=False))
    assert "licenses" not in gates()


class KillsOne(LocalEngine):
    """An engine whose workers die of the last image of each batch."""

    def map_batches(self, *args: Any, **settings: Any) -> Any:
        for results in super().map_batches(*args, **settings):
            yield [*results[:-1], Casualty("SIGKILL", 3)]


def test_images_that_could_not_be_compared_stop_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = KillsOne(1, in_process=True)
    monkeypatch.setattr(
        test_release, "PORTS", release.Ports(Search(DedupeParams(), Path("data/dedupe/none"), engine))
    )
    assert "1 images could not be compared with the others" in refused("no_leaks")
