"""`curate view`: the project's tables in the FiftyOne app, on this machine only.

The dataset is brought up to date each time (`fiftyone_dataset`); what people did in the app stays.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import socket
import sys
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curate import decision_file, image_references, params, project_tables, tables
from curate.adapters import (
    app_screenshot,
    fiftyone_content,
    fiftyone_dataset,
    fiftyone_embeddings,
    fiftyone_marking,
    fiftyone_pulled,
    fiftyone_rules,
    fiftyone_server,
    fiftyone_views,
)
from curate.adapters.fiftyone_rules import RuleMatches
from curate.adapters.fiftyone_samples import CONSENSUS, MODEL
from curate.adapters.mongod import HOST, Mongod, free_port
from curate.decision_file import Decision
from curate.errors import ViewError
from curate.extras import require
from curate.labeling import taxonomy

FOLDER = Path(".fiftyone")
PORT = 5151
_EVALUATED = 5_000  # images, half a minute of a core; of more, the evaluation is run by hand in the app


def open_app(root: Path, *, stage: str, port: int, rules: Sequence[RuleMatches] = ()) -> None:
    """Bring the dataset up to date, serve the app on loopback and print its address.

    It returns after Ctrl-C or SIGTERM; the database and the app's server end with this process.

    Args:
        root: The project's folder.
        stage: Last stage to show, one of `project_tables.STAGES`.
        port: TCP port on 127.0.0.1; 0 = a free one.
        rules: Those of rules.yaml, with what they are about.

    Raises:
        ViewError: The port is busy, or the database or the app could not be started.
        TableError: No stage has run, or a table is damaged.
        MissingExtraError: FiftyOne is not installed.
    """
    port = _usable(port)
    _synced(root, stage, rules)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        server = fiftyone_server.start(port)
        place = f"{address(root, port)}?view={fiftyone_views.FIRST_VIEW}"
        print(f"FiftyOne: {place} (Ctrl-C ends it)", flush=True)  # noqa: T201
        try:
            status = server.wait()
        finally:
            server.stop()
    except KeyboardInterrupt:
        return
    raise ViewError(f"the FiftyOne app on port {port} ended by itself (exit code {status}): start it again")


def screenshot(root: Path, target: Path, *, stage: str, view: str, rules: Sequence[RuleMatches] = ()) -> None:
    """Bring the dataset up to date, and write a picture of a saved view as the app shows it.

    Args:
        root: The project's folder.
        target: The PNG.
        stage: Last stage to show, one of `project_tables.STAGES`.
        view: Name of a saved view.
        rules: As for `open_app`.

    Raises:
        ViewError: There is no such view or no browser, or the database or the app could not be started.
        TableError: No stage has run, or a table is damaged.
        MissingExtraError: FiftyOne or Playwright is not installed.
    """
    dataset = _synced(root, stage, rules, join=True)  # also while the app is open
    names = dataset.list_saved_views()
    if view not in names:
        raise ViewError(f"no saved view is called {view!r}: there are {', '.join(names)}")
    slug = require("fiftyone.core.utils", extra="fiftyone").to_slug(view)
    port = free_port()
    server = fiftyone_server.start(port)
    try:
        app_screenshot.take(f"{address(root, port)}?view={slug}", target)
    finally:
        server.stop()


def sync_dataset(root: Path, *, stage: str, rules: Sequence[RuleMatches] = ()) -> str:
    """Bring the dataset up to date without opening the app.

    The database runs until this process ends; `fiftyone.load_dataset(name)` finds the dataset meanwhile.

    Returns:
        Name of the dataset.

    Raises:
        ViewError: The database could not be started, or this process already uses another one.
        TableError: No stage has run, or a table is damaged.
        MissingExtraError: FiftyOne is not installed.
    """
    return str(_synced(root, stage, rules).name)


def address(root: Path, port: int = PORT) -> str:
    """Address at which the app serves the project's dataset."""
    return f"http://{HOST}:{port}/datasets/{dataset_name(root)}"


def dataset_name(root: Path) -> str:
    """The release's name after "curate-", or the folder's where there is no params.yaml."""
    path = root / "params.yaml"
    name = params.load(path).release.name if path.exists() else root.resolve().name
    return fiftyone_dataset.NAMES + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "project")


def _synced(root: Path, stage: str, rules: Sequence[RuleMatches], *, join: bool = False) -> Any:
    kept = (root / FOLDER).resolve() / "digests.npz"
    found = project_tables.find(root.resolve(), stage=stage)
    with ThreadPoolExecutor(1, thread_name_prefix="tables") as pool:  # while FiftyOne is imported
        reading = pool.submit(fiftyone_content.of_tables, found, rules=rules, kept=kept)
        fo = connect(root, join=join)
        content = reading.result()
    done = fiftyone_dataset.sync(fo, dataset_name(root), content, project=identity(root), root=root.resolve())
    ruled = fiftyone_rules.remember(done.dataset, rules)
    vectors = fiftyone_embeddings.show(done.dataset, root)
    colors = _colors(root)
    anew = ruled or vectors.changed or not fiftyone_views.is_dressed(done.dataset, content, colors)
    if anew:
        fiftyone_views.dress(fo, done.dataset, content, colors)
    fiftyone_embeddings.save_views(done.dataset, anew=anew)
    both = {MODEL, CONSENSUS} <= set(content.layout.label_fields)
    if both and len(content.digests) <= _EVALUATED:
        fiftyone_views.evaluate(done.dataset)
    made = _decisions(root)
    there = fiftyone_dataset.sample_ids(done.dataset) if made else {}
    shown = [one for one in made if one.image in there]
    fiftyone_pulled.show(done.dataset, shown)
    told = [
        (
            done.waiting,
            "images were changed in the app: run `curate decisions pull`, they are shown as they were",
        ),
        (content.unreadable, "dropped files could not be decoded and have no picture to show"),
        (content.removed, "raw files were removed, and their pictures with them"),
        (len(content.missing), "upright files have vanished: run dvc repro"),
        (len(made) - len(shown), "lines of decisions are about images that the app does not show"),
    ]
    for number, what in told:
        if number:
            print(f"FiftyOne: {number:,} {what}", file=sys.stderr)  # noqa: T201
    print(f"FiftyOne: {done.line()}\nFiftyOne: {vectors.line}", file=sys.stderr)  # noqa: T201
    return done.dataset


def _decisions(root: Path) -> list[Decision]:
    """Decisions about whole images in the project's decisions file; none where there is no such file."""
    path = root / "params.yaml"
    name = params.load(path).dedupe.decisions if path.exists() else None
    if name is None or not (root / name).exists():
        return []
    made = [one for one in decision_file.load(root / name) if one.decision in decision_file.ALONE]
    return image_references.resolve(made, project_tables.images_path(root))


def identity(root: Path) -> str:
    """A name of the project that no other has, kept beside its database."""
    path = (root / FOLDER).resolve() / "project"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tables.replacing(path) as partial:
            partial.write_text(uuid.uuid4().hex, encoding="ascii")
    return path.read_text(encoding="ascii")


def connect(root: Path, *, join: bool = False) -> Any:
    """FiftyOne, connected to the project's own database (or to the user's, by FIFTYONE_DATABASE_URI).

    Args:
        root: The project's folder.
        join: Use the database of a `curate view` that is open, if there is one.

    Raises:
        ViewError: The database could not be started, or this process already uses another one.
        MissingExtraError: FiftyOne is not installed.
    """
    folder = (root / FOLDER).resolve()
    if "fiftyone" in sys.modules and os.environ.get("CURATE_FIFTYONE_FOLDER") != str(folder):
        raise ViewError("FiftyOne is already loaded in this process with another database: start another")
    if "fiftyone" not in sys.modules:
        os.environ["CURATE_FIFTYONE_FOLDER"] = str(folder)
        for name, value in _environment(folder).items():
            os.environ.setdefault(name, value)
        fiftyone_marking.install(Path(os.environ["FIFTYONE_PLUGINS_DIR"]))
        if "FIFTYONE_DATABASE_URI" not in os.environ:
            database = Mongod(folder / "db", log=folder / "mongod.log")
            running = database.running() if join else None
            if running is None:
                # Registered before FiftyOne's own handlers, so called after them: they still need it.
                atexit.register(database.stop)
            os.environ["FIFTYONE_DATABASE_URI"] = running or database.start()
    return require("fiftyone", extra="fiftyone")


def _environment(folder: Path) -> dict[str, str]:
    """Settings that FiftyOne reads while it is imported. The user's own environment goes first."""
    return {
        "FIFTYONE_DATABASE_DIR": str(folder / "db"),
        "FIFTYONE_DATABASE_VALIDATION": "false",  # the bundled mongod is older than FiftyOne likes
        "FIFTYONE_DO_NOT_TRACK": "true",
        "FIFTYONE_DEFAULT_APP_ADDRESS": HOST,
        "FIFTYONE_DEFAULT_DATASET_DIR": str(folder / "datasets"),
        "FIFTYONE_DATASET_ZOO_DIR": str(folder / "datasets"),
        "FIFTYONE_MODEL_ZOO_DIR": str(folder / "models"),
        "FIFTYONE_PLUGINS_DIR": str(folder / "plugins"),
        "FIFTYONE_LOGGING_LEVEL": "WARNING",
        "FIFTYONE_SHOW_PROGRESS_BARS": "false",
    }


def _colors(root: Path) -> dict[str, str]:
    """Color by category; empty without a taxonomy, and FiftyOne chooses."""
    settings = params.load(root / "params.yaml") if (root / "params.yaml").exists() else params.Params()
    path = root / settings.autolabel.taxonomy
    return {entry.name: entry.color for entry in taxonomy.load(path)} if path.exists() else {}


def _usable(port: int) -> int:
    """The port, if this process may listen on it; a free one for 0."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ViewError(f"port {port} of {HOST} is busy: choose another with --port (0 = any)") from error
    return port


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
