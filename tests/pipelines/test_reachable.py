"""Nothing lies in curate/ that no stage and no command can reach, and no parameter is without effect."""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest

from curate import params_doc

ROOT = Path(__file__).parents[2]
DOORS = ("curate_pipelines", "curate.cli", "curate.__main__")
PUBLIC = {
    "curate",
    "curate.api",
    "curate.label_files",
}  # what a notebook imports: no door, for nothing may live for it alone
PUBLIC |= {"curate.adapters.fiftyone_plugin.operators"}  # FiftyOne imports it
PUBLIC |= {"curate.adapters.fiftyone_text_search"}  # and that this
PUBLIC |= {"curate.agreement.chance"}  # figures of counts, promised to whoever imports curate.agreement alone


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("curate", "curate_pipelines", exclude_type_checking_imports=True, cache_dir=None)


def reachable(imports: grimp.ImportGraph) -> set[str]:
    doors = {m for door in DOORS for m in (door, *imports.find_descendants(door)) if m in imports.modules}
    found = doors | PUBLIC
    for door in doors:
        found |= imports.find_upstream_modules(door)
    packages = {module.rsplit(".", depth)[0] for module in found for depth in range(1, module.count(".") + 1)}
    return found | packages


def test_everything_is_reachable_from_a_stage_or_a_command(imports: grimp.ImportGraph) -> None:
    assert {m for m in imports.modules if m not in reachable(imports)} == set()


def test_every_parameter_is_read_somewhere() -> None:
    read = {
        node.attr
        for folder in ("curate", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
        if path.parent.name != "params"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    names = {knob.location[-1] for knob in params_doc.knobs()}
    assert len(names) > 50
    assert names - read == set()
