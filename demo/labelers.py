"""SIMULATED labelers: programs that answer the tasks of the demo, so that it runs without people.

`python -m demo.labelers`

Each is a user of its own on the real server (`simulated-1@demo.invalid`, ...), invited and logged in like a
person, and answers through the same requests that the labelling page sends. What they "see" is the demo's
ground truth with small faults (demo/simulated_annotator.py). Their time per task is made up as well, and what
they answer to questions about the whole image is chosen at random. Nothing of this is human work, and the
data card says so.

An answer depends on labeler and image only. A run adds what a labeler still owes, so that it can be killed
and started again.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from curate import params as params_file
from curate import schema, tables
from curate.adapters.labelstudio import (
    accounts,
    client,
    connection,
    decode_regions,
    encode_regions,
    project,
    task_pages,
)
from curate.errors import AnnotationToolError, CurateError, InputError, ParamsError
from curate.geometry import masks
from curate.ports import ProjectRef
from curate.progress import track
from curate.records import derived_id
from demo import simulated_annotator

THREADS = 4  # more only wait for SQLite's one writer
_ROUNDS, _PAUSE_S = 5, 1.0
_FIELDS = "id,data,overlap,annotations,completed_by,predictions,result"


@dataclass(frozen=True, slots=True)
class Job:
    """One answer that one labeler owes; `suggestions` are the regions of the task's prediction."""

    email: str
    number: int
    image_id: str
    width: int
    height: int
    prediction: int | None
    suggestions: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the whole image, by the name of its control, and what can be chosen."""

    name: str
    options: tuple[str, ...]


Truth = Mapping[str, Sequence[Mapping[str, Any]]]  # objects by image_id
AnswerOf = Callable[[Job, Sequence[str], Sequence[Question]], dict[str, Any]]


def labeler_emails(count: int) -> list[str]:
    """Names of the simulated users; the reserved domain can belong to nobody."""
    return [f"simulated-{number}@demo.invalid" for number in range(1, count + 1)]


def assigned(task_id: str, overlap: int, emails: Sequence[str]) -> list[str]:
    """Choose who answers a task: `overlap` of the labelers, by a hash of task and name."""
    return sorted(emails, key=lambda email: derived_id("labeler", task_id, email))[:overlap]


def load_truth(path: Path, images: Path) -> Truth:
    """True objects by image_id: the truth file knows raw paths, the images table where each image came from.

    Raises:
        InputError: The truth file is missing or damaged.
    """
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is missing or damaged: run `python -m demo.raw_folder`") from error
    rows = tables.read(images, schema.IMAGES, columns=["image_id", "sources", "drop_reason"]).to_pylist()
    truth = {}
    for row in rows:
        known = [files[source]["objects"] for source in row["sources"] if source in files]
        if row["drop_reason"] is None and known:
            truth[row["image_id"]] = known[0]
    return truth


def answer(
    job: Job, truth: Truth, categories: Sequence[str], seed: int, questions: Sequence[Question] = ()
) -> dict[str, Any]:
    """The body of a submitted annotation, as the labelling page would send it."""
    seen = true_objects(job, truth)
    rng = simulated_annotator.generator(job.email, job.image_id, seed)
    given = simulated_annotator.look(rng, seen, suggestions(job), categories)
    result = regions(job, given)
    for question in questions:
        chosen = str(rng.choice(list(question.options)))  # made up: the truth knows objects only
        result.append(_choice(question, chosen))
    return {"result": result, "lead_time": given.lead_time_s, "parent_prediction": job.prediction}


def true_objects(job: Job, truth: Truth) -> list[simulated_annotator.TrueObject]:
    """What is really there on the image of a task."""
    if job.image_id not in truth:
        raise InputError(
            f"image {job.image_id[:12]} is not in the truth file: simulated labelers know the demo only"
        )
    size = {"width": job.width, "height": job.height}
    return [
        simulated_annotator.TrueObject(
            item["category"], tuple(item["bbox_xyxy"]), masks.decode(item["rle"], **size)
        )
        for item in truth[job.image_id]
    ]


def regions(job: Job, given: simulated_annotator.Answer) -> list[dict[str, Any]]:
    """The regions of an answer: what was left as it is, and what was drawn."""
    left = {*given.left, *map(encode_regions.mask_region_id, given.left)}
    result = [{**region, "origin": "prediction"} for region in job.suggestions if region["id"] in left]
    known = {region["id"] for region in job.suggestions}
    for item in given.drawn:
        origin = "prediction-changed" if item.region_id in known else "manual"
        rectangle = encode_regions.rectangle_region(
            item.region_id, item.box, item.category, job.width, job.height
        )
        brush = encode_regions.brush_region(item.region_id, item.mask, item.category)
        result += [{**region, "origin": origin} for region in (rectangle, brush)]
    return result


def questions_of(config: str) -> tuple[Question, ...]:
    """The questions about the whole image in a labelling configuration."""
    view = ET.fromstring(config)  # noqa: S314 - from the server that we started
    return tuple(
        Question(str(asked.get("name")), tuple(str(one.get("value")) for one in asked.iter("Choice")))
        for asked in view.iter("Choices")
        if asked.get("perRegion") != "true"  # those are of objects
    )


def _choice(question: Question, chosen: str) -> dict[str, Any]:
    return {
        "id": f"sim-{question.name}",
        "type": "choices",
        "from_name": question.name,
        "to_name": encode_regions.IMAGE,
        "value": {"choices": [chosen]},
        "origin": "manual",
    }


def suggestions(job: Job) -> list[simulated_annotator.Suggestion]:
    """The suggested boxes, read with the same codec that reads people's answers."""
    work = decode_regions.Work(
        "-", job.image_id, job.width, job.height, job.email, job.suggestions, False, None, None
    )
    labels = (region["value"].get(region["type"], []) for region in job.suggestions if "value" in region)
    names = sorted({name for chosen in labels for name in chosen if isinstance(name, str)})
    return [
        simulated_annotator.Suggestion(encode_regions.region_id(row.parent_id), row.bbox_xyxy, row.category)
        for row in decode_regions.read(work, names).rows
        if row.parent_id is not None and row.bbox_xyxy is not None and row.category is not None
    ]


def owed(administrator: client.Client, reference: ProjectRef, emails: Sequence[str]) -> list[Job]:
    """What the labelers have not answered yet, in the order of the tasks.

    Raises:
        AnnotationToolError: A task wants more people than there are simulated labelers.
    """
    users = administrator.get("/api/users/", action="reading the names of the labelers")
    numbers = {str(user["email"]): user["id"] for user in users}
    jobs = []
    pages = task_pages.matching(administrator, reference, include=_FIELDS, content=True)
    for task in (task for page in pages for task in page):
        if task["overlap"] > len(emails):
            raise AnnotationToolError(
                f"a task wants {task['overlap']} labelers: start with --labelers {task['overlap']}"
            )
        data, done = task["data"], {one["completed_by"] for one in task["annotations"]}
        prediction = task["predictions"][0] if task["predictions"] else None
        jobs += [
            Job(
                email,
                int(task["id"]),
                str(data["image_id"]),
                int(data["width"]),
                int(data["height"]),
                prediction["id"] if prediction else None,
                tuple(prediction["result"]) if prediction else (),
            )
            for email in assigned(str(data["task_id"]), int(task["overlap"]), emails)
            if numbers.get(email) not in done
        ]
    return jobs


def label(
    server: connection.Connection,
    title: str,
    answer_of: AnswerOf,
    *,
    emails: Sequence[str],
    limit: int | None = None,
) -> int:
    """Let every simulated labeler answer what it owes.

    Args:
        server: The server and an administrator's token, for invitations and the list of tasks.
        title: Title of the project.
        answer_of: The body of an answer to a task, given the categories and the questions about the image.
        emails: The labelers.
        limit: At most so many answers; None for all.

    Returns:
        Number of answers given.
    """
    administrator = client.Client(server, timeout_s=accounts.TIMEOUT_S)
    found = project.find(administrator, title)
    if found is None:
        raise AnnotationToolError(f"{server.url} has no project {title!r}: run `dvc repro push`")
    config = str(found["label_config"])
    reference, asked = project.reference(administrator, int(found["id"])), questions_of(config)
    categories = project.category_names(config)
    sessions = {email: accounts.ensure_user(server, email, _password(server, email)) for email in emails}
    given = 0
    for attempt in range(_ROUNDS):
        jobs = owed(administrator, reference, emails)
        jobs = jobs if limit is None else jobs[: limit - given]
        if not jobs:
            break
        failures = _submit(jobs, sessions, lambda job: answer_of(job, categories, asked))
        given += len(jobs) - len(failures)
        if failures and attempt == _ROUNDS - 1:
            raise failures[0]
        time.sleep(_PAUSE_S * attempt if failures else 0)
    return given


def _submit(
    jobs: Sequence[Job],
    sessions: Mapping[str, accounts.Session],
    answer_of: Callable[[Job], Mapping[str, Any]],
) -> list[client.TransientError]:
    """Send the answers, a few at a time; returns errors after which the server may have taken one or not."""

    def submit(job: Job) -> client.TransientError | None:
        body = answer_of(job)
        try:
            sessions[job.email].post(f"/api/tasks/{job.number}/annotations/", body, action="answering a task")
        except client.TransientError as error:
            return error
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = track(pool.map(submit, jobs), total=len(jobs), label="simulated labelers")
        return [error for error in outcomes if error is not None]


def _password(server: connection.Connection, email: str) -> str:
    """The simulated user's password: nothing to store, and only the administrator's token gives it."""
    return hmac.new(server.api_key.encode(), email.encode(), hashlib.sha256).hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and label."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder")
    parser.add_argument(
        "--truth", type=Path, default=Path("data/demo/truth.json"), help="ground truth of the demo"
    )
    parser.add_argument(
        "--images", type=Path, default=Path("data/dedupe/images.parquet"), help="images table"
    )
    parser.add_argument("--labelers", type=int, default=2, help="number of simulated users")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other answers")
    parser.add_argument("--limit", type=int, default=None, help="stop after so many answers")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    try:
        parameters = params_file.load(options.root / "params.yaml")
        if parameters.qa.labelers != "simulated":
            raise ParamsError(
                f"{options.root / 'params.yaml'}: qa.labelers is {parameters.qa.labelers!r}: "
                "simulated labelers would mix with people; set it to simulated"
            )
        truth = load_truth(options.root / options.truth, options.root / options.images)
        given = label(
            connection.resolve(options.root),
            parameters.labelstudio.project,
            lambda job, categories, asked: answer(job, truth, categories, options.seed, asked),
            emails=labeler_emails(options.labelers),
            limit=options.limit,
        )
    except CurateError as error:
        sys.exit(f"labelers: {error}")
    seconds = time.perf_counter() - started
    print(f"SIMULATED labelers: {given} answers by {options.labelers} simulated users in {seconds:.0f} s")


if __name__ == "__main__":
    main()
