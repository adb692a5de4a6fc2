"""dvc.yaml, params.yaml and the code say the same."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from curate import fingerprint
from curate.params import Params
from curate_pipelines import fingerprint as stage_code

ROOT = Path(__file__).parents[2]
EVERY: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
STAGES = {name: entry for name, entry in EVERY.items() if name != "fingerprint"}
# What a stage keeps between runs and makes again where it is lost: neither dependency nor output of DVC,
# which would read millions of files each time. The tables name images by the sha256 of their content.
KEPT = ("data/ingest/images", "data/ingest/ledger.sqlite", "data/dedupe/index")
KEPT += ("data/people.csv",)  # what people are called; grows, and is read by three stages
KEPT += ("data/release_secret",)  # never in DVC's cache or remote: whoever has it can tell who drew what
# Packages that pass names on: a stage depends on where its names come from, not on all of them.
PASSING_ON = ("curate.params", "curate.ports", "curate.yamlfile")
# What a stage reads of a later one's last run: no dependency of it.
EARLIER = {
    "select": ("data/push/shown", "data/agreement/pairs.parquet"),
    "release": ("data/publish/last",),
    "embed": ("data/agreement/consensus.parquet",),  # where objects: consensus is asked for
    "pull": ("data/adjudication/shown",),  # written by `curate qa adjudicate`
}
ORDER = ["ingest", "dedupe", "autolabel", "embed", "select", "push", "pull"]
ORDER += ["quality", "agreement", "release", "publish"]


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_stages_are_those_of_the_design_in_order() -> None:
    assert list(EVERY) == ["fingerprint", *ORDER]
    assert list(stage_code.STAGES) == ORDER


def test_the_template_of_a_new_project_has_the_same_file() -> None:
    template = ROOT / "curate/templates/detection/dvc.yaml"
    assert template.read_text() == (ROOT / "dvc.yaml").read_text(), f"cp dvc.yaml {template}"


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_runs_its_own_entry_point(stage: str) -> None:
    assert STAGES[stage]["cmd"] == f"curate run {stage}"
    assert (ROOT / f"pipelines/curate_pipelines/{stage}.py").exists()


def test_the_first_stage_writes_what_each_other_stage_depends_on() -> None:
    assert EVERY["fingerprint"]["cmd"] == "curate run fingerprint"
    kept = {"cache": False, "persist": True}
    assert EVERY["fingerprint"]["outs"] == [{f"data/fingerprint/{stage}.txt": kept} for stage in ORDER]


@pytest.mark.parametrize("stage", ORDER)
def test_a_stage_depends_on_its_code_by_fingerprint_and_names_no_file_of_it(stage: str) -> None:
    needed = paths(STAGES[stage]["deps"])
    assert [path for path in needed if "fingerprint" in path] == [f"data/fingerprint/{stage}.txt"]
    assert not [path for path in needed if path.startswith(("curate/", "pipelines/"))]


@pytest.mark.parametrize("stage", ORDER)
def test_every_data_dependency_is_written_by_an_earlier_stage(stage: str) -> None:
    written = set(paths(EVERY["fingerprint"]["outs"]))
    for earlier in ORDER[: ORDER.index(stage)]:
        written |= set(paths(STAGES[earlier]["outs"] + STAGES[earlier]["metrics"]))
    assert set(paths(STAGES[stage]["deps"])) <= written


def test_nothing_is_named_that_a_parameter_may_leave_out() -> None:
    """DVC cannot depend on a file that need not be there, nor on a parameter that stands in no file."""
    assert "${" not in (ROOT / "dvc.yaml").read_text()
    assert [name for name, entry in EVERY.items() if "params" in entry or "vars" in entry] == []


@pytest.mark.parametrize("stage", EVERY)
def test_a_stage_that_fails_leaves_what_was_there(stage: str) -> None:
    """DVC removes outputs before a stage begins, unless they persist."""
    entry = EVERY[stage]
    for output in entry["outs"] + entry.get("metrics", []) + entry.get("plots", []):
        assert isinstance(output, dict), output
        assert next(iter(output.values()))["persist"] is True, output


@pytest.mark.parametrize("stage", ORDER)
def test_the_paths_in_the_entry_point_are_those_of_dvc_yaml(stage: str) -> None:
    """Each data path that the program names is a dependency or an output, and the other way round."""
    tree = ast.parse((ROOT / f"pipelines/curate_pipelines/{stage}.py").read_text())
    literals = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {text for text in literals if text.startswith(("data/", "metrics/", "plots/"))}
    entry = STAGES[stage]
    outputs = set(paths(entry["outs"])) | set(paths(entry.get("plots", [])))
    outputs.remove(f"metrics/{stage}.json")  # curate_pipelines/stage_entry.py writes it
    needed = set(paths(entry["deps"])) - {f"data/fingerprint/{stage}.txt"}
    declared = outputs | needed
    for path in named - {*KEPT, *EARLIER.get(stage, ())}:
        assert any(
            known == path or known.startswith(path + "/") or path.startswith(known + "/")
            for known in declared
        ), path
    for path in outputs:
        assert path in literals or str(Path(path).parent) in literals, (
            f"{path} is not written by pipelines/{stage}.py"
        )


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(
        "curate", "curate_pipelines", cache_dir=None
    )  # its cache keeps files that changed within a second


@pytest.mark.parametrize("stage", ORDER)
def test_the_fingerprint_of_a_stage_covers_all_code_that_it_reaches(
    stage: str, imports: grimp.ImportGraph
) -> None:
    """As another reader of imports sees it; of params the sections that the stage takes, not their union."""
    covered = set(fingerprint.imported(f"curate_pipelines.{stage}", without=stage_code._WITHOUT))
    reached = imports.find_upstream_modules(f"curate_pipelines.{stage}") | {f"curate_pipelines.{stage}"}
    unions = {module for module in reached if module.startswith(PASSING_ON)}
    assert reached - unions <= covered <= reached
    sections = [name for name in stage_code.PARAMETERS[stage] if "." not in name]
    for name in sections:
        defined = Params.model_fields[name].annotation
        assert defined is not None
        assert defined.__module__ in covered, f"the section {name} of params.yaml"


@pytest.mark.parametrize("stage", ORDER)
def test_metrics_and_plots_are_kept_out_of_the_cache(stage: str) -> None:
    for entry in STAGES[stage]["metrics"] + STAGES[stage].get("plots", []):
        assert next(iter(entry.values()))["cache"] is False
    assert paths(STAGES[stage]["metrics"]) == [f"metrics/headline/{stage}.json"]
    assert {f"metrics/{stage}.json": {"cache": False, "persist": True}} in STAGES[stage]["outs"]


def test_only_what_the_outside_changes_is_looked_at_every_time() -> None:
    """Code, raw files, people and where releases go."""
    assert [name for name, entry in EVERY.items() if entry.get("always_changed")] == [
        "fingerprint",
        "ingest",
        "push",
        "pull",
        "publish",
    ]


@pytest.mark.parametrize("stage", ORDER)
def test_dvc_never_reads_a_folder_of_images(stage: str) -> None:
    for path in paths(STAGES[stage]["deps"] + STAGES[stage]["outs"]):
        assert not f"{path}/".startswith(("data/raw/", *(f"{kept}/" for kept in KEPT))), path
