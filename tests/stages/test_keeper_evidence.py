"""What was found out about pairs is kept: not where a worker died, not under another recipe, not lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from curate.stages import keeper_evidence
from tests.stages.test_dedupe import INDEX, TABLE, ingested, rows, run
from tests.stages.test_dedupe_variants import jpeg, photographs

FILES = {name: content for name, content in photographs().items() if "coffee" in name or "cat" in name}
ENLARGED = "web/coffee enlarged.png"


@pytest.fixture(autouse=True)
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return ingested(FILES)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each pair that is looked at."""
    found: list[int] = []
    real = keeper_evidence.originals.compare

    def counting(*arguments: Any) -> Any:
        found.append(1)
        return real(*arguments)

    monkeypatch.setattr(keeper_evidence.originals, "compare", counting)
    return found


def _deadly() -> Any:
    """As `keeper_evidence._setup`, but the image named in the file `deadly` kills the process."""

    def batch(items: list[keeper_evidence.Item]) -> Any:
        if any(path.endswith(Path("deadly").read_text()) for item in items for path in item[:2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return keeper_evidence._setup()(items)

    return batch


def test_a_pair_over_which_a_worker_died_is_counted_and_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, ids: dict[str, str]
) -> None:
    run()
    whole = TABLE.read_bytes()
    (INDEX / "originals.arrow").unlink()
    Path("deadly").write_text(ids[ENLARGED])
    with monkeypatch.context() as patch:
        patch.setattr(keeper_evidence, "_setup", _deadly)
        report = run(workers=2)
    assert report.metrics["originals_unknown"] == 2  # with the other two pictures of coffee
    assert "2 pairs whose original is unknown as a worker died" in report.line()
    said = [row["drop_detail"] for name, row in rows().items() if row["drop_detail"] and "coffee" in name]
    assert any("a worker died over which is the original" in one for one in said)
    report = run()
    assert TABLE.read_bytes() == whole
    assert report.metrics["originals_unknown"] == 0
    assert rows()[ENLARGED]["drop_detail"].endswith("; the other was enlarged")


def test_another_recipe_places_pictures_otherwise_and_is_looked_at_anew(looked: list[int]) -> None:
    run()
    assert len(looked) == 6
    run(turned="none")
    assert len(looked) == 12
    run(turned="none")
    assert len(looked) == 12


def test_pairs_that_left_the_table_are_known_when_they_come_back(looked: list[int]) -> None:
    run()
    cats = {name: content for name, content in FILES.items() if "cat" in name}
    ingested({**cats, "web/cat q30.jpg": jpeg(Image.fromarray(data.chelsea()), 30)})
    run()
    assert len(looked) == 9
    ingested(FILES)
    run()
    assert len(looked) == 9
