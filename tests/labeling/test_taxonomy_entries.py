"""Whatever label files call their categories, the first taxonomy.yaml is one that loads."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given
from hypothesis import strategies as st

from curate.labeling import taxonomy, taxonomy_entries


def test_names_that_are_keys_stay_and_others_become_titles() -> None:
    made = taxonomy_entries.entries(["stop_sign", "Straßenbahn", "自行车", "car", "Car", "a.b?"])
    assert [(one.name, one.title, one.prompt) for one in made] == [
        ("stop_sign", "", "stop sign"),
        ("Strassenbahn", "Straßenbahn", "straßenbahn"),
        ("category", "自行车", "自行车"),
        ("car", "", "car"),
        ("Car", "", "car 2"),  # two prompts of one text are refused: somebody must say which is meant
        ("a_b", "a.b?", "a b"),
    ]


@given(st.lists(st.text(max_size=80), unique=True, min_size=1, max_size=60))
def test_any_names_make_a_file_that_loads(names: list[str]) -> None:
    made = taxonomy_entries.entries(names)
    rows = [
        {
            "id": index,
            "name": one.name,
            "title": one.title,
            "prompts": [one.prompt],
            "threshold": 0.3,
            "color": one.color,
        }
        for index, one in enumerate(made)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "taxonomy.yaml"
        path.write_text(yaml.safe_dump({"categories": rows}, allow_unicode=True))
        assert len(taxonomy.load(path)) == len(names)
    assert len({one.color for one in made}) == len(names)
