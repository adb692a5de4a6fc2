"""A server of comparisons in memory, and people who vote there by the brightness of what they are shown."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageEnhance, ImageFilter

from curate.params import VoteParams
from curate.ports import PushCounts
from curate.ports.comparison import ComparisonDraft, ComparisonTool, GivenVote, PulledVotes
from curate.records import StageReport
from curate.stages import vote


class ComparingPeople:
    """A `ComparisonTool` whose people are told when to work. They see files, and nothing else."""

    def __init__(self) -> None:
        self.tasks: dict[str, ComparisonDraft] = {}
        self.offered: list[str] = []
        self.votes: dict[tuple[str, str], GivenVote] = {}
        self.edited: list[GivenVote] = []
        self.strange: set[str] = set()
        self.pushes = 0

    def push(
        self, title: str, tasks: Sequence[ComparisonDraft], *, question: str, instructions: str
    ) -> PushCounts:
        assert (title, question) == ("a set votes", "Which picture looks better?")
        assert "Click the one that looks better" in instructions
        self.pushes += 1
        before = set(self.offered)
        self.offered = [task.task_id for task in tasks]
        fresh = [task for task in tasks if task.task_id not in self.tasks or task.task_id in self.strange]
        self.strange.clear()
        self.tasks |= {task.task_id: task for task in tasks}
        reopened = len(set(self.offered) - before - {task.task_id for task in fresh})
        return PushCounts(len(fresh), len(tasks) - len(fresh), 0, 0, reopened=reopened)

    def pull(self, title: str, tasks: Sequence[ComparisonDraft]) -> PulledVotes | None:
        del title
        if not self.pushes:
            return None
        keys = {task.task_id for task in tasks}
        votes = tuple(self.votes[place] for place in sorted(self.votes) if place[0] in keys)
        outside = sum(key not in keys for key, _ in self.votes)
        skipped = sum(v.side is None for v in votes)
        edited = tuple(self.edited)
        return PulledVotes("http://there", votes, skipped=skipped, outside_plan=outside, edited=edited)

    def edit(self, key: str) -> None:
        """Somebody puts other pictures into a task; who answered it, answered who knows what."""
        self.strange.add(key)
        for place in [place for place in self.votes if place[0] == key]:
            self.edited.append(GivenVote(*place, None))
            del self.votes[place]

    def work(
        self, person: str, *, max_votes: int | None = None, wrong: bool = False, skip: bool = False
    ) -> int:
        """Answer what is offered and not answered by that person yet: the brighter one, or the other."""
        todo = [key for key in self.offered if (key, person) not in self.votes]
        for key in todo[:max_votes]:
            task = self.tasks[key]
            left, right = (float(np.asarray(Image.open(path)).mean()) for path in (task.left, task.right))
            side = "left" if (left > right) != wrong else "right"
            self.votes[key, person] = GivenVote(key, person, None if skip else side)
        return len(todo[:max_votes])


def pictures(
    folder: Path,
    brightness: dict[str, int],
    images: int,
    draw: Callable[[int, int], Image.Image] | None = None,
) -> dict[tuple[str, str], Path]:
    """A result by image and model, as bright as the model is good; "clean" is the brightest.

    `draw` makes it of the number of the image and the brightness; without it all is gray.
    """
    made = {}
    for model, value in brightness.items():
        (folder / model).mkdir(parents=True, exist_ok=True)
        for n in range(images):
            path = folder / model / f"p{n:02}.png"
            (draw or _gray)(n, value).save(path)
            made[f"p{n:02}", model] = path
    return made


def _gray(n: int, value: int) -> Image.Image:
    return Image.new("RGB", (240, 160), (value, value, value - n % 10))


def photograph(n: int, value: int) -> Image.Image:
    """Part of a photograph, the sharper and the brighter the better."""
    photo = Image.fromarray((skimage.data.chelsea(), skimage.data.coffee())[n % 2])
    soft = photo.crop((20, 0, 440, 300)).filter(ImageFilter.GaussianBlur((250 - value) / 60))
    return ImageEnhance.Brightness(soft).enhance(0.8 + value / 1250)


def run(folder: Path, tool: ComparisonTool | None = None, **settings: object) -> StageReport:
    """The stage on the tables of a folder."""
    raters = "simulated" if tool is None else "labelstudio"
    params = VoteParams.model_validate({"raters": raters, "bootstrap": 100, **settings})
    return vote.run(
        params,
        inputs=vote.Inputs(folder / "pairs.parquet", folder / "upscaled.parquet", folder / "figures.parquet"),
        outputs=vote.Outputs(
            folder / "plan.csv",
            folder / "votes.csv",
            folder / "ranking.csv",
            folder / "pictures",
            folder / "people.csv",
        ),
        ports=vote.Ports(tool, "a set votes"),
    )


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
