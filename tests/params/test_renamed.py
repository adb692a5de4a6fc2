from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate import params, params_doc
from curate.errors import ParamsError
from curate.params import renamed
from curate.params.renamed import RenamedParameterWarning, read_old_names
from curate.yamlfile import load_model, load_yaml

TABLE = {"dedupe.radius": "dedupe.max_hamming", "old_section.seed": "qa.seed", "qa.looks": "qa.overlap"}


def read(tmp_path: Path, text: str) -> tuple[Any, Path]:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    data, lines = load_yaml(path)
    return read_old_names(data, path, lines, TABLE), path


def test_the_old_name_is_read_and_the_line_is_named(tmp_path: Path) -> None:
    with pytest.warns(
        RenamedParameterWarning, match=r"dedupe\.radius is now called dedupe\.max_hamming"
    ) as told:
        data, path = read(tmp_path, "dedupe:\n  crops: false\n  radius: 3\n")
    assert data == {"dedupe": {"crops": False, "max_hamming": 3}}
    assert [(one.filename, one.lineno) for one in told] == [(str(path), 3)]


@pytest.mark.filterwarnings("ignore::curate.params.renamed.RenamedParameterWarning")
def test_a_name_may_move_to_another_section_or_below_an_empty_one(tmp_path: Path) -> None:
    data, _ = read(tmp_path, "old_section:\n  seed: 4\nqa:\n")
    assert data == {"old_section": {}, "qa": {"seed": 4}}


def test_a_parameter_that_is_gone_is_left_out_where_that_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("dedupe:\n  bits: 64\n")
    with pytest.warns(RenamedParameterWarning, match=r"dedupe\.bits is gone: remove the line"):
        assert params.load(path) == params.Params()
    path.write_text("dedupe:\n  bits: 256\n")
    with pytest.raises(ParamsError, match=r"params\.yaml:2: dedupe\.bits is gone, and 256 with"):
        params.load(path)


def test_both_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ParamsError, match=r":3: qa\.looks is the old name of qa\.overlap, which is given too"
    ):
        read(tmp_path, "qa:\n  overlap: 2\n  looks: 3\n")


def test_todays_names_warn_of_nothing(tmp_path: Path) -> None:
    data, _ = read(tmp_path, "qa:\n  overlap: 2\n")
    assert data == {"qa": {"overlap": 2}}


def test_the_loader_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("dedupe:\n  radius: 3\n")
    with pytest.raises(ParamsError, match=r"dedupe\.radius = 3 is unknown"):
        params.load(path)
    with pytest.warns(RenamedParameterWarning):
        loaded = load_model(
            path, params.Params, before=lambda data, where, lines: read_old_names(data, where, lines, TABLE)
        )
    assert loaded.dedupe.max_hamming == 3


def test_every_new_name_exists_and_every_old_one_is_gone_and_listed() -> None:
    known = {".".join(knob.location) for knob in params_doc.knobs()}
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    for old, new in renamed.RENAMED.items():
        assert old not in known
        assert new in known
        assert f"`{old}`" in changelog
        assert f"`{new}`" in changelog
