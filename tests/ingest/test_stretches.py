"""Files of stretches that did not change are passed over: what comes out is what listing them would give."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.engines.local import LocalEngine
from curate.errors import CurateError
from curate.ingest import stretches, walk
from curate.ingest.stretches import Stretches
from curate.ingest.walk import Files
from curate.params import IngestParams
from curate.ports import Casualty
from curate.stages import ingest
from tests.stages.ingest_project import LEDGER, OUTPUTS, TABLE, project, put, rows, run  # noqa: F401 - the fixture

pytestmark = pytest.mark.usefixtures("project")


class Passed:
    """How many files each run passed over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: list[int] = []
        real = Stretches.remember

        def remember(stretches: Stretches) -> None:
            self.files.append(stretches.files)
            real(stretches)

        monkeypatch.setattr(Stretches, "remember", remember)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Passed:
    return Passed(monkeypatch)


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


@pytest.mark.parametrize("seed", range(8))
def test_a_history_ends_the_same_whether_stretches_are_passed_over_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: Passed, seed: int
) -> None:
    monkeypatch.setattr(walk, "_ENDS", 1)
    monkeypatch.setattr(walk, "_TOGETHER", 3)
    monkeypatch.setattr(walk, "_MANY", (10**6, 0, 3)[seed % 3])  # files, from which on workers look
    monkeypatch.setattr(stretches, "_MOST_TOLD", (10**6, 2)[seed % 2])
    history, real, closed = History(seed), Stretches.__init__, [b""]
    scandir = os.scandir

    def listing(folder: bytes) -> Any:
        if closed[0] and os.fsencode(folder).endswith(closed[0]):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(walk.os, "scandir", listing)
    for name in ("passing", "listing"):
        (tmp_path / name).mkdir()
    for _ in range(30):
        stop = history.rng.choice([None, None, None, None, 0, 1])
        closed[0] = history.rng.choice([b"", b"", b"", b"", b"/raw/1"])
        found = one_run(tmp_path / "passing", history.settings, stop=stop)
        with monkeypatch.context() as patch:
            patch.setattr(Stretches, "__init__", lambda self, db, _: real(self, db, None))
            assert one_run(tmp_path / "listing", history.settings, stop=stop) == found
        if isinstance(found, tuple):
            assert passed.files[-1] == 0
        for _ in range(history.rng.randrange(3)):
            history.go_on()
    assert sum(map(bool, passed.files)) > 3


def test_only_stretches_that_changed_are_listed(monkeypatch: pytest.MonkeyPatch, passed: Passed) -> None:
    for number in range(6):
        put(f"{number % 2}/{number}.jpg", number)
    run()
    run()
    put("0/more.jpg", 7)
    run()
    run()
    Path("raw/1/1.jpg").unlink()  # which file is gone, only a whole listing tells
    run()
    run()
    assert passed.files == [0, 6, 3, 7, 0, 6]
    monkeypatch.setattr(walk, "_ENDS", 0)  # a stretch a file
    run()
    put("0/last.jpg", 8)
    run()
    assert passed.files[6:] == [0, 6]


def test_a_list_of_sources_among_the_images_holds_up_its_own_stretch_only(
    monkeypatch: pytest.MonkeyPatch, passed: Passed
) -> None:
    monkeypatch.setattr(walk, "_ENDS", 0)
    for number in range(3):
        put(f"{number}.jpg", number)
    Path("raw/sources.yaml").write_text("sources:\n  - {name: raw, path: .}\n")
    for _ in range(2):
        run(sources="sources.yaml")
    assert len(rows()) == 3
    run()
    assert [row["drop_reason"] for row in rows()].count("not_an_image") == 1
    run()
    assert passed.files == [0, 3, 3, 4]


def test_what_failed_is_tried_again_though_nothing_changed(
    monkeypatch: pytest.MonkeyPatch, passed: Passed
) -> None:
    from curate.ingest import reader

    put("good/1.jpg", 1)
    put("bad/2.jpg", 2)
    real = reader.Reader.read

    def failing(self: Any, work: Any) -> Any:
        if work.name == b"bad/2.jpg":
            raise reader.VerdictError("unreadable", "Input/output error")
        return real(self, work)

    with monkeypatch.context() as patch:
        patch.setattr(reader.Reader, "read", failing)
        for _ in range(3):
            run()
        assert [row["drop_detail"] for row in rows() if row["drop_reason"]] == ["Input/output error"]
    run()
    assert [row["drop_reason"] for row in rows()] == [None, None]
    run()
    assert passed.files == [0, 1, 1, 1, 2]


def test_what_was_seen_before_the_last_run_counts_for_nothing(passed: Passed) -> None:
    """Every file is what it was two runs ago, by its inode and time too; the ledger has the run between."""
    put("a/1.jpg", 1)
    put("a/2.jpg", 2)

    def swap() -> None:
        for before, after in (("1", "aside"), ("2", "1"), ("aside", "2")):
            Path(f"raw/a/{before}.jpg").rename(f"raw/a/{after}.jpg")

    run()
    made = TABLE.read_bytes()
    swap()
    run()
    assert TABLE.read_bytes() != made
    swap()
    run()
    assert TABLE.read_bytes() == made
    run()
    assert passed.files == [0, 0, 0, 2]


def test_an_upright_file_that_was_lost_is_made_again_of_a_file_that_was_passed_over(passed: Passed) -> None:
    put("a/1.jpg", 1)
    put("b/2.jpg", 2)
    run()
    made = TABLE.read_bytes()
    Path(rows()[0]["path"]).unlink()
    run()
    assert passed.files == [0, 2]
    assert all(Path(row["path"]).exists() for row in rows())
    assert TABLE.read_bytes() == made


def test_workers_look_into_folders(monkeypatch: pytest.MonkeyPatch, passed: Passed) -> None:
    monkeypatch.setattr(walk, "_MANY", 0)
    for number in range(12):
        put(f"{number % 3}/{number % 2}/{number}.jpg", number)
    run(workers=2)
    made = TABLE.read_bytes()
    assert len(rows()) == 12
    run(workers=2)
    run()
    put("1/1/more.jpg", 12)
    run(workers=2)
    assert passed.files == [0, 12, 12, 10]
    Path("raw/1/1/more.jpg").unlink()
    run(workers=2)
    assert [row["drop_reason"] for row in rows()].count("removed") == 1
    Path("raw/sources.yaml").write_text("sources:\n  - {name: raw, path: .}\n")
    for path in (TABLE, LEDGER):
        path.unlink()
    run(workers=2, sources="sources.yaml")
    assert TABLE.read_bytes() == made


def test_a_worker_that_dies_looking_leaves_it_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_MANY", 0)

    class Dying(LocalEngine):
        def map_batches(self, setup: Any, batches: Any, *, label: str, total: int | None = None) -> Any:
            if label != "ingest":
                return ([Casualty("SIGKILL", 3)] * len(batch) for batch in batches)
            return super().map_batches(setup, batches, label=label, total=total)

    for number in range(6):
        put(f"{number % 3}/{number}.jpg", number)
    ingest.run(
        IngestParams(), inputs=ingest.Inputs(Path("raw")), outputs=OUTPUTS,
        ports=ingest.Ports(Dying(in_process=True), 2),
    )  # fmt: skip
    assert [row["drop_reason"] for row in rows()] == [None] * 6


def test_stretches_end_where_their_files_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_ENDS", 3)
    for number in range(200):
        (tmp_path / f"{number}").write_bytes(b"x")

    def parts() -> set[tuple[walk.File, ...]]:
        return {tuple(some.found) for some in walk.files_below(tmp_path) if isinstance(some, Files)}

    before = parts()
    (tmp_path / "new").write_bytes(b"y")
    after = parts()
    assert len(before) > 20
    assert len(before - after) <= 1
    assert sorted(itertools.chain(*before)) == sorted(
        file for file in itertools.chain(*after) if file[0] != b"new"
    )
