"""docs/parameters.md and the comments of params.yaml say what the models say."""

from __future__ import annotations

from pathlib import Path

import yaml

from curate import params, params_doc
from curate.yamlfile import load_yaml

ROOT = Path(__file__).parents[1]


def test_the_page_is_what_the_models_make() -> None:
    assert (ROOT / "docs/parameters.md").read_text() == params_doc.page(), "run: make doc"


def test_every_knob_stands_in_params_yaml_with_its_meaning() -> None:
    path = ROOT / "params.yaml"
    _, lines = load_yaml(path)
    text = path.read_text().splitlines()
    for knob in params_doc.knobs():
        assert knob.location in lines, f"params.yaml misses {'.'.join(knob.location)}"
        comment = text[lines[knob.location] - 1].partition(" # ")[2]
        assert comment.startswith(knob.description), f"{'.'.join(knob.location)}: comment is not the model's"


def test_every_knob_has_a_meaning() -> None:
    assert [knob.location for knob in params_doc.knobs() if not knob.description] == []


def test_params_yaml_is_valid_and_round_trips() -> None:
    loaded = params.load(ROOT / "params.yaml")
    again = yaml.safe_load(yaml.safe_dump(loaded.model_dump(mode="json")))
    assert params.Params.model_validate(again) == loaded
