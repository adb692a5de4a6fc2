"""Random histories of a raw folder: an old project ends with the table that a new one begins with."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.engines.local import LocalEngine
from curate.errors import CurateError
from curate.ingest import walk
from curate.params import IngestParams
from curate.stages import ingest
from tests.stages.ingest_project import OUTPUTS, TABLE, project, put  # noqa: F401 - the fixture

pytestmark = pytest.mark.usefixtures("project")


class Interrupted(LocalEngine):
    """Ends in the middle of its batches."""

    def __init__(self, after: int) -> None:
        super().__init__(in_process=True)
        self._after = after

    def map_batches(self, setup: Any, batches: Any, **options: Any) -> Iterator[list[Any]]:  # type: ignore[override]
        for number, results in enumerate(super().map_batches(setup, batches, **options)):
            if number == self._after:
                raise KeyboardInterrupt
            yield results


class History:
    """What happens to the folder raw/, outside of the projects that read it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311
        self.settings: dict[str, Any] = {}
        Path("away").mkdir()
        for number in range(12):
            self._new(f"{number % 3}/{number}.jpg")

    def go_on(self) -> None:  # noqa: C901, PLR0912 - one of many things
        rng, files = self.rng, self._files()
        some = rng.choice(files)
        folders = [path for path in Path("raw").iterdir() if path.is_dir()]
        match rng.randrange(14):
            case 0 | 1:
                self._new(f"{rng.randrange(4)}/{rng.randrange(3)}/new-{rng.randrange(10**6)}.jpg")
            case 2:
                some.unlink()
            case 3:  # it keeps its inode and its time
                some.rename(some.with_name(f"moved-{rng.randrange(100)}.jpg"))
            case 4:
                some.rename(f"away/{rng.randrange(10**6)}.jpg")
            case 5:
                for file in Path("away").iterdir():
                    Path("raw/back").mkdir(exist_ok=True)
                    file.rename(f"raw/back/{rng.randrange(3)}.jpg")
            case 6:
                shutil.copy(some, some.with_name(f"copy-{rng.randrange(100)}.jpg"))
            case 7:
                some.write_bytes(rng.randbytes(rng.choice([0, 50])))
            case 8:
                os.utime(some, ns=(rng.randrange(10**18), rng.randrange(10**18)))
            case 9 if len(folders) > 1:
                rng.choice(folders).rename(f"raw/renamed-{rng.randrange(10**6)}")
            case 10:
                link = Path(f"raw/link-{rng.randrange(5)}.jpg")
                link.unlink(missing_ok=True)
                link.symlink_to(rng.choice(["nowhere.jpg", some.relative_to("raw")]))
            case 11:
                self.settings["min_side"] = rng.choice([10, 70])
            case 12:
                self.settings["sources"] = rng.choice([None, None, None, self._sources()])
            case _:
                self.settings["verify"] = rng.random() < 0.2

    def _files(self) -> list[Path]:
        return sorted(path for path in Path("raw").rglob("*.jpg") if path.is_file() and not path.is_symlink())

    def _new(self, name: str) -> None:
        put(name, self.rng.randrange(10**6))

    def _sources(self) -> str:
        sidecar = self.rng.choice(["true", "false"])
        inner = self.rng.choice(["", "  - {name: inner, path: '0'}\n" if Path("raw/0").exists() else ""])
        (Path("raw") / "said.csv").write_text("path,weather\n")
        said = self.rng.choice(["", "attributes: said.csv\n"])
        text = f"sources:\n  - {{name: all, path: ., sidecar: {sidecar}}}\n{inner}{said}"
        (Path("raw") / "sources.yaml").write_text(text)
        return "sources.yaml"


def one_run(home: Path, settings: dict[str, Any], *, stop: int | None) -> object:
    """The report and the table of a project; the error, or None if it was interrupted."""
    (home / "raw").exists() or (home / "raw").symlink_to(home.parent / "raw")
    engine = LocalEngine(in_process=True) if stop is None else Interrupted(stop)
    before = Path.cwd()
    os.chdir(home)
    try:
        report = ingest.run(
            IngestParams(**settings), inputs=ingest.Inputs(Path("raw")), outputs=OUTPUTS,
            ports=ingest.Ports(engine, 2),
        )  # fmt: skip
        return (report.counts, report.metrics, report.this_run), TABLE.read_bytes()
    except CurateError as error:
        return str(error)
    except KeyboardInterrupt:
        return None
    finally:
        os.chdir(before)


def kept(home: Path) -> list[dict[str, Any]]:
    rows = tables.read(home / TABLE, schema.IMAGES).to_pylist()
    return [row for row in rows if row["drop_reason"] != "removed"]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happened_the_table_is_that_of_a_project_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(walk, "_TOGETHER", 3)
    history = History(seed)
    (tmp_path / "old").mkdir()
    compared = 0
    for step in range(15):
        stop = history.rng.choice([None, None, None, 0, 1])
        found = one_run(tmp_path / "old", history.settings, stop=stop)
        if stop is None:
            new = tmp_path / f"new-{step}"
            new.mkdir()
            fresh = one_run(new, history.settings, stop=None)
            assert isinstance(found, tuple) == isinstance(fresh, tuple)
            if isinstance(found, tuple):
                assert kept(tmp_path / "old") == kept(new)
                again = one_run(tmp_path / "old", history.settings, stop=None)
                assert again[1] == found[1]  # type: ignore[index] - the bytes of the table
                compared += 1
            else:
                assert found == fresh
        for _ in range(history.rng.randrange(4)):
            history.go_on()
    assert compared > 0
