"""What the project talks to: weights, Label Studio, the Hub, FiftyOne's database, ports."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from curate.adapters import model_fetch, mongod
from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.adapters.labelstudio import client, connection, process
from curate.adapters.labelstudio.connection import URL_VARIABLE
from curate.doctor.finding import Finding, tried
from curate.params import Params

VIEW_PORT: Final = 5151
_TIMEOUT_S = 10.0


def weights(settings: Params, stages: Collection[str]) -> Iterator[Finding]:
    """Every weights file that params.yaml names for one of the stages, held against its digest."""
    for wanted in model_fetch.of_params(settings, stages):
        yield tried(f"weights of {wanted.setting}", functools.partial(model_fetch.verify, wanted))


def labelstudio(settings: Params, stages: Collection[str]) -> Iterator[Finding]:
    """The server that the stages talk to, and whether it takes the token; asked only where one does."""
    name, asked = "Label Studio", settings.vote.raters
    if "push" not in stages and asked != "labelstudio":
        yield Finding(name, "ok", f"not needed (vote.raters: {asked})")
        return
    if not settings.labelstudio.enabled:
        off = "labelstudio.enabled: false"
        if "push" in stages:
            yield Finding(name, "ok", f"not needed ({off})")
        else:
            yield Finding(name, "broken", f"{off}, vote.raters: {asked}", "change one of them")
        return

    def answers() -> str:
        at = connection.resolve(Path())
        server = client.Client(at, timeout_s=_TIMEOUT_S, sleep=lambda _: None)
        me = server.get("/api/current-user/whoami", action="asking who the token belongs to")
        return f"{at.url} takes the token in {at.source} (of {me['email']})"

    found = tried(name, answers)
    yield found
    if found.state == "broken" and URL_VARIABLE not in os.environ:
        yield tried("label-studio program", lambda: str(process.find_program(Path())))


def hub(settings: Params) -> Iterator[Finding]:
    """Whose the Hub's token is, where the release is to go there; nobody is asked where not."""
    target = settings.publish
    if target.target != "hub" or target.repo is None:
        yield Finding("Hub", "ok", f"not needed (publish.target: {target.target})")
        return
    repo = target.repo
    yield tried("Hub", lambda: f"the token is that of {HuggingFaceHub(repo).account()}")


def viewer() -> Iterator[Finding]:
    """What `curate view` needs, which no stage does."""
    yield tried("mongod", lambda: str(mongod.program()), needed=False)
    with socket.socket() as probe:
        free = probe.connect_ex((mongod.HOST, VIEW_PORT)) != 0
    detail, remedy = f"{VIEW_PORT} is {'free' if free else 'taken'}", "" if free else "curate view --port 0"
    yield Finding("port of curate view", "ok" if free else "note", detail, remedy)
