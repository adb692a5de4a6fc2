from __future__ import annotations

from pathlib import Path

import pytest

from curate import params
from curate.errors import ParamsError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dedupe:\n  max_haming: 3\n", ":2: dedupe.max_haming = 3 is unknown; did you mean 'max_hamming'?"),
        (
            "dedupe:\n  max_hamming: 300\n",
            ":2: dedupe.max_hamming = 300 is refused: input should be less than or equal to 64",
        ),
        (
            "autolabel:\n  detector:\n    modl: x\n",
            ":3: autolabel.detector.modl = 'x' is unknown; did you mean 'model'?",
        ),
        ("zzz: 1\n", ":1: zzz = 1 is unknown; known here: engine, ingest, dedupe"),
        ("dedupe: 3\n", ":1: dedupe = 3 is refused"),
        ("qa:\n  overlap: two\n", ":2: qa.overlap = 'two' is refused"),
        ("qa:\n  seed: 1\n  seed: 2\n", ":3: not valid YAML: 'seed' is given twice"),
        ("qa: [\n", "not valid YAML"),
        ("qa:\n  seed: 1\n  # \x07\n", ":3: not valid YAML: character 0x07"),
        ("qa:\n  seed: 2024-02-30\n", ":2: not valid YAML: day is out of range"),
        ("qa:\n  seed: 1\n  ? [a, b]\n  : 3\n", ":3: not valid YAML: a list or a mapping as a key"),
        ("qa: !!int x\n", ":1: not valid YAML: invalid literal"),
        ("qa: &a [*a]\n", "not valid YAML: "),
        ("qa: !!python/none x\n", ":1: not valid YAML: could not determine a constructor"),
        ("release:\n  version: one\n", ":2: release.version = 'one' is refused"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as caught:
        params.load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# nothing\n")
    assert params.load(path) == params.Params()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="does not exist"):
        params.load(tmp_path / "params.yaml")
