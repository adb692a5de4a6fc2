"""All of cleanvision's issues, on all cores: `python run_cleanvision_issues.py FOLDER ANSWER_FILE`."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

from cleanvision import Imagelab

if __name__ == "__main__":
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    lab = Imagelab(data_path=str(folder), verbose=False)
    lab.find_issues(n_jobs=len(os.sched_getaffinity(0)), verbose=False)
    found: dict[str, list[str]] = {}
    for name in lab.issue_summary["issue_type"]:
        rows = lab.issues[lab.issues[f"is_{name}_issue"]]
        found[name] = sorted(Path(place).relative_to(folder.absolute()).as_posix() for place in rows.index)
    target.write_text(json.dumps({"version": version("cleanvision"), "found": found}), encoding="utf-8")
