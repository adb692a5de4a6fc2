"""`curate doctor`: what lacks, and what to do about it."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import typer

from curate.cli.options import HERE, AsJson, Root


def doctor(
    *,
    as_json: AsJson = False,
    root: Root = HERE,
) -> None:
    """Say what this machine and this project lack and what to do; exit code 1 if the project needs it.

    Reads params.yaml, what it names, and the weights; asks Label Studio, and the Hub if the release goes
    there. Writes nothing. No token is printed.
    """
    from curate import doctor as examination

    found = []
    with contextlib.chdir(root):
        for finding in examination.examine():
            found.append(finding)
            if not as_json:
                typer.echo(finding.line())
    broken = sum(finding.state == "broken" for finding in found)
    if as_json:
        document = {"ok": not broken, "checks": [dataclasses.asdict(finding) for finding in found]}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"{broken} to mend" if broken else "nothing that is needed is missing")
    if broken:
        raise typer.Exit(1)
