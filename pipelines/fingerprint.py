"""DVC stage fingerprint: what code each stage runs, one small file a stage, on which that stage depends.

It runs each time and writes a file only where the code changed: after an upgrade exactly those stages run
again, wherever the package is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from curate import fingerprint

STAGES: Final = (
    "ingest", "dedupe", "autolabel", "select", "push", "pull", "quality", "agreement", "release", "publish",
)  # fmt: skip
# It knows the sections of all stages. Those of a stage are reached from that stage itself.
_WITHOUT: Final = ("curate.params.__init__",)


def main(folder: Path = Path("data/fingerprint")) -> str:
    """Write the digest of each stage's code; a line that says which of them changed."""
    changed = [stage for stage in STAGES if _update(folder / f"{stage}.txt", digest(stage))]
    return f"fingerprint: {'code changed of ' + ', '.join(changed) if changed else 'no code changed'}"


def digest(stage: str) -> str:
    """Hex SHA-256 over the code of a stage, with its wiring and all that both import."""
    return fingerprint.digest(f"pipelines.{stage}", without=_WITHOUT)


def _update(path: Path, text: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == f"{text}\n":
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(path)
    return True


if __name__ == "__main__":
    print(main())  # noqa: T201
