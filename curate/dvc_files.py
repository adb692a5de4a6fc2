"""Files of DVC that an interrupt can leave half written, and what to do about each.

DVC writes them in place. It then refuses every command, names the file and not the remedy.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from curate.errors import InputError

LOCKS = Path(".dvc/tmp/rwlock")  # who reads and writes what, while `dvc repro` runs
LOCKED = Path("dvc.lock")  # what every stage read and wrote


def check(root: Path) -> None:
    """Refuse a project in which DVC would refuse to run.

    Args:
        root: The project's folder.

    Raises:
        InputError: A file is torn; says how to go on.
    """
    for torn, path, remedy in (
        (_torn_json, root / LOCKS, f"make sure that no dvc runs here, then `rm {LOCKS}`"),
        (
            _torn_yaml,
            root / LOCKED,
            f"`git checkout {LOCKED}` brings back the last committed one (or remove it: all stages run)",
        ),
    ):
        if torn(path):
            raise InputError(
                f"{path} is torn, as a run leaves it that is ended while DVC writes: {remedy}, "
                "and run `dvc repro` again"
            )


def _torn_json(path: Path) -> bool:
    try:
        return not isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except FileNotFoundError:
        return False
    except ValueError:
        return True


def _torn_yaml(path: Path) -> bool:
    """An empty file counts: DVC takes it for no lock at all and runs every stage again."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (yaml.YAMLError, ValueError, TypeError):
        return True
    stages = content.get("stages", {}) if isinstance(content, dict) else None
    return not isinstance(stages, dict) or not all(map(_whole, stages.values()))


def _whole(stage: object) -> bool:
    """Whether an entry has what DVC wants of it."""
    if not isinstance(stage, dict) or "cmd" not in stage:
        return False
    files = [*(stage.get("deps") or ()), *(stage.get("outs") or ())]
    return all(isinstance(file, dict) and "path" in file for file in files)
