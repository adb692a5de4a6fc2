"""Different pictures that look alike: none may be dropped for another; those of one setting may be tied.

    python -m benchmarks.hard_negatives OUT --seed 5 --settings 40 --photographs report

writes OUT/images and OUT/truth.csv (file, setting, kind). A setting is four pictures that share what makes
them alike: a half, a camera, a form. `halves` share one of two halves; `camera` pictures the scene behind an
object of 2 to 20% of the area; signs, pages, screens and forms their layout; dark, fog and X-ray pictures
only how they look. Those of other settings share nothing but the kind.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks import photo_collages, transforms

UInt8Array = npt.NDArray[np.uint8]
Draw = Callable[[np.random.Generator, tuple[int, ...]], list[UInt8Array]]
MEMBERS: Final = 4  # pictures of a setting
_SIZE: Final = (480, 360)  # width, height
_MIN_DIFFERENCE: Final = 30.0  # levels, mean over an object: it must be seen
_INKS: Final = ((200, 20, 30), (20, 60, 190), (10, 130, 60), (230, 170, 10))
_FONTS: Final = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
_WORDS: Final = (
    "invoice", "total", "north", "valve", "number", "seven", "broken", "street", "blue", "signed", "paid",
    "kept", "light", "order", "water", "list", "early", "small", "bridge", "copper",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A file of the corpus, its setting and the kind of that."""

    file: str
    setting: int
    kind: str


def _photograph(rng: np.random.Generator, sources: tuple[int, ...], width: int, height: int) -> UInt8Array:
    """A random part of a random photograph, at that size."""
    source = photo_collages.photograph(sources[int(rng.integers(len(sources)))])
    tall, wide = source.shape[:2]
    scale = min(wide / width, tall / height) * rng.uniform(0.3, 0.9)
    part_w, part_h = int(width * scale), int(height * scale)
    left, top = int(rng.integers(wide - part_w + 1)), int(rng.integers(tall - part_h + 1))
    part = source[top : top + part_h, left : left + part_w]
    resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(resized[:, ::-1] if rng.random() < 0.5 else resized)


def _halves(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """Two crops side by side, blended; the first is shared, and lies on either side."""
    width, height = _SIZE
    common = _photograph(rng, sources, width, height)
    ramp = 1 / (1 + np.exp(-np.linspace(-1, 1, width) / rng.uniform(0.02, 0.2)))[:, None]
    on_left = rng.random() < 0.5
    pictures: list[UInt8Array] = []
    for _ in range(MEMBERS):
        other = _photograph(rng, sources, width, height)
        first, second = (common, other) if on_left else (other, common)
        pictures.append((first * (1 - ramp) + second * ramp).astype(np.uint8))
    return pictures


def _camera(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """One view, another object each time (once none), in light that varies a little, and sensor noise."""
    width, height = _SIZE
    view = _photograph(rng, sources, width, height)
    pictures = [view]
    while len(pictures) < MEMBERS:
        mask = _blob(rng, area=rng.uniform(0.02, 0.2))
        filling = _photograph(rng, sources, width, height)
        if np.abs(filling[mask].mean(axis=0) - view[mask].mean(axis=0)).max() < _MIN_DIFFERENCE:
            continue
        picture = view.copy()
        picture[mask] = filling[mask]
        pictures.append(picture)
    return [_taken(rng, picture) for picture in pictures]


def _blob(rng: np.random.Generator, area: float) -> npt.NDArray[np.bool_]:
    """An ellipse of that share of the picture, wholly inside it."""
    width, height = _SIZE
    longer = np.sqrt(area * width * height / np.pi) * rng.uniform(0.8, 1.25)
    axes = (int(longer), int(area * width * height / np.pi / longer))
    reach = min(max(axes), height // 2 - 1)
    center = int(rng.integers(reach, width - reach)), int(rng.integers(reach, height - reach))
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, center, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return mask > 0


def _taken(rng: np.random.Generator, picture: UInt8Array) -> UInt8Array:
    noisy = picture * rng.uniform(0.94, 1.06) + rng.normal(0, 3, picture.shape)
    taken: UInt8Array = np.clip(noisy, 0, 255).astype(np.uint8)
    return taken


def _sign(
    rng: np.random.Generator, view: UInt8Array, shape: int, ink: tuple[int, int, int], text: str
) -> UInt8Array:
    """A sign of a shape and color with a text, in the middle of a view."""
    picture, (width, height) = view.copy(), _SIZE
    center, reach = (width // 2, height // 2), height // 3
    if shape == 0:
        cv2.circle(picture, center, reach, (245, 245, 245), -1, cv2.LINE_AA)
        cv2.circle(picture, center, reach, ink, reach // 5, cv2.LINE_AA)
    elif shape == 1:
        cv2.rectangle(
            picture, (center[0] - reach, center[1] - reach), (center[0] + reach, center[1] + reach), ink, -1
        )
    else:
        turns = np.arange(3) * 2 * np.pi / 3 - np.pi / 2
        corners = np.stack([np.cos(turns), np.sin(turns)], 1) * reach + center
        cv2.fillPoly(picture, [corners.astype(np.int32)], ink, cv2.LINE_AA)
    letters = (20, 20, 20) if shape == 0 else (250, 250, 250)
    (wide, tall), _ = cv2.getTextSize(text, 0, 1, 3)
    scale = 1.15 * reach / max(wide, 1.6 * tall)
    where = int(center[0] - wide * scale / 2), int(center[1] + tall * scale / 2)
    cv2.putText(picture, text, where, 0, scale, letters, max(3, reach // 12), cv2.LINE_AA)
    return _taken(rng, picture)


def _color_signs(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    view, shape = _photograph(rng, sources, *_SIZE), int(rng.integers(3))
    text = str(rng.choice(["", "P", "30", "A7"]))
    return [_sign(rng, view, shape, ink, text) for ink in _INKS[:MEMBERS]]


def _number_signs(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    view, ink = _photograph(rng, sources, *_SIZE), _INKS[int(rng.integers(4))]
    numbers = rng.choice([30, 50, 60, 80, 100, 120], size=MEMBERS, replace=False)
    return [_sign(rng, view, 0, ink, str(number)) for number in numbers]


def _words(rng: np.random.Generator, count: int) -> str:
    return " ".join(rng.choice(_WORDS, size=count))


def _pages(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """Pages of one layout: the same lines, margins and font, other words."""
    del sources
    font, lines, scale = _FONTS[int(rng.integers(3))], int(rng.integers(8, 14)), rng.uniform(0.5, 0.8)
    pictures: list[UInt8Array] = []
    for _ in range(MEMBERS):
        page = np.full((480, 360, 3), 250, np.uint8)
        for line in range(lines):
            row = 40 + line * (420 // lines)
            cv2.putText(page, _words(rng, 6)[:26], (25, row), font, scale, (25, 25, 25), 1, cv2.LINE_AA)
        pictures.append(page)
    return pictures


def _forms(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """One printed form, filled in otherwise."""
    del sources
    blank = np.full((480, 360, 3), 248, np.uint8)
    cv2.putText(blank, _words(rng, 2).upper(), (30, 45), 2, 0.8, (30, 30, 90), 2, cv2.LINE_AA)
    rows = np.arange(90, 460, int(rng.integers(45, 65)))
    for row in rows.tolist():
        cv2.putText(blank, str(rng.choice(_WORDS)), (25, row), 0, 0.5, (90, 90, 90), 1, cv2.LINE_AA)
        cv2.rectangle(blank, (130, row - 22), (335, row + 8), (120, 120, 120), 1)
    pictures: list[UInt8Array] = []
    for _ in range(MEMBERS):
        page = blank.copy()
        for row in rows.tolist():
            text = str(rng.integers(10**9)) if rng.random() < 0.5 else _words(rng, 2)[:13]
            cv2.putText(page, text, (136, row), 3, 0.7, (20, 20, 140), 2, cv2.LINE_AA)
        pictures.append(page)
    return pictures


def _screens(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """Screenshots of one program: the same bars and buttons, other messages."""
    del sources
    width, height = _SIZE
    blank = np.full((height, width, 3), 240, np.uint8)
    tint = rng.integers(40, 160, size=3).tolist()
    cv2.rectangle(blank, (0, 0), (width, 36), tint, -1)
    cv2.rectangle(blank, (0, 36), (110, height), (215, 215, 222), -1)
    for row in range(70, height, 40):
        cv2.putText(blank, str(rng.choice(_WORDS)), (10, row), 0, 0.5, (60, 60, 60), 1, cv2.LINE_AA)
    pictures: list[UInt8Array] = []
    for _ in range(MEMBERS):
        page = blank.copy()
        for row in range(70, height - 10, 55):
            wide = int(rng.integers(120, 330))
            left = 125 if rng.random() < 0.5 else width - 15 - wide
            cv2.rectangle(page, (left, row - 22), (left + wide, row + 14), (255, 255, 255), -1)
            text = _words(rng, 6)[: wide // 10]
            cv2.putText(page, text, (left + 8, row), 0, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
        pictures.append(page)
    return pictures


def _low_contrast(low: float, high: float, spread: tuple[float, float]) -> Draw:
    def draw(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
        """Other scenes, squeezed to a few levels, and noise."""
        base, pictures = rng.uniform(low, high), []
        for _ in range(MEMBERS):
            scene = _photograph(rng, sources, *_SIZE).astype(np.float32)
            scene = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.5, 4)))
            scene = (scene - scene.mean()) / max(float(scene.std()), 1) * rng.uniform(*spread) + base
            pictures.append(np.clip(scene + rng.normal(0, 1, scene.shape), 0, 255).astype(np.uint8))
        return pictures

    return draw


def _xrays(rng: np.random.Generator, sources: tuple[int, ...]) -> list[UInt8Array]:
    """Chests of other people, laid out alike: two dark lungs, ribs, a spine, a heart."""
    del sources
    width, height = _SIZE
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    pictures: list[UInt8Array] = []
    for _ in range(MEMBERS):
        body = 150 * np.exp(-((x / rng.uniform(0.7, 0.95)) ** 4) - (y / rng.uniform(1.0, 1.5)) ** 4)
        for side in (-1, 1):
            cx, cy, rx, ry = rng.normal((0.42 * side, -0.05, 0.28, 0.6), (0.03, 0.05, 0.03, 0.06))
            body -= rng.uniform(70, 100) / (1 + np.exp(12 * (np.hypot((x - cx) / rx, (y - cy) / ry) - 1)))
        ribs, phase, bend = rng.uniform(16, 24), rng.uniform(0, 6.3), rng.uniform(0.2, 0.6)
        body += (
            rng.uniform(8, 16)
            * np.maximum(np.sin(ribs * (y + bend * np.abs(x)) + phase), 0)
            * (np.abs(x) < 0.8)
        )
        body += 60 * np.exp(-((x / rng.uniform(0.05, 0.09)) ** 2))
        hx, hy, hr = rng.normal((0.12, 0.25, 0.25), (0.05, 0.08, 0.04))
        body += rng.uniform(40, 70) / (1 + np.exp(10 * (np.hypot(x - hx, y - hy) / hr - 1)))
        gray = np.clip(body + rng.normal(0, 2, body.shape), 0, 255).astype(np.uint8)
        pictures.append(np.repeat(gray[:, :, None], 3, axis=2))
    return pictures


KINDS: Final[dict[str, Draw]] = {
    "halves": _halves, "camera": _camera, "color signs": _color_signs, "number signs": _number_signs,
    "pages": _pages, "forms": _forms, "screens": _screens, "dark": _low_contrast(8, 20, (2, 5)),
    "fog": _low_contrast(150, 210, (3, 8)), "x-ray": _xrays,
}  # fmt: skip


def draw(kind: str, which: str, seed: tuple[int, ...]) -> list[UInt8Array]:
    """The pictures (H, W, 3) of one setting, all different.

    Args:
        kind: One of `KINDS`.
        which: Half of the photographs: tune or report.
        seed: Of every choice.
    """
    return KINDS[kind](np.random.default_rng(seed), photo_collages.HALVES[which])


def write(folder: Path, *, seed: int, settings: int, which: str) -> list[Row]:
    """Write a corpus; the same bytes for the same arguments.

    Args:
        folder: Made; must not hold another corpus.
        seed: Of every choice.
        settings: Of each kind; each has `MEMBERS` pictures.
        which: Half of the photographs: tune or report.
    """
    (folder / "images").mkdir(parents=True)
    rows = []
    for number, kind in enumerate(KINDS):
        for setting in range(settings):
            rng = np.random.default_rng((seed, number, setting, 1))
            for picture in draw(kind, which, (seed, number, setting)):
                encoded = transforms.encode(picture, quality=int(rng.integers(85, 96)))
                name = f"{rng.integers(1 << 62):016x}{encoded.extension}"
                row = Row(name, number * settings + setting, kind)
                (folder / "images" / row.file).write_bytes(encoded.content)
                rows.append(row)
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "setting", "kind"])
        writer.writerows([row.file, row.setting, row.kind] for row in rows)
    return rows


def read_truth(folder: Path) -> list[Row]:
    """The rows of OUT/truth.csv."""
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        return [Row(row["file"], int(row["setting"]), row["kind"]) for row in csv.DictReader(file)]


def main() -> None:
    """Write a corpus from the command line."""
    parser = argparse.ArgumentParser(description="Write different pictures that look alike.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=int, default=40)
    parser.add_argument("--photographs", choices=("tune", "report"), default="report")
    asked = parser.parse_args()
    rows = write(asked.folder, seed=asked.seed, settings=asked.settings, which=asked.photographs)
    print(f"{len(rows)} files in {asked.folder}/images, the truth in {asked.folder}/truth.csv")


if __name__ == "__main__":
    main()
