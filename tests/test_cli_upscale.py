"""`curate upscale IMAGES` without a project."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from curate import cli
from curate.errors import InputError, ModelError, ParamsError
from tests.adapters import onnx_graphs
from tests.restoration import real_weights


def run(*args: str) -> Result:
    result = CliRunner().invoke(cli.app, ["upscale", *args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.jpg", "in/sub/b.png"):
        Image.fromarray(rng.integers(0, 256, (24, 30, 3)).astype(np.uint8)).save(name)
    Path("in/notes.txt").write_text("no image")


def test_a_folder_in_one_command_with_rows_and_a_contact_sheet() -> None:
    result = run(
        "in", "--model", str(real_weights.compact()), "--out", "out", "--workers", "1", "--fit", "100x100"
    )
    assert result.exit_code == 0, result.output
    assert "upscale: 2 images in out, 1 files are no images; weights under bsd-3-clause" in result.output
    with Image.open("out/sub/b.png") as made:
        assert made.size == (100, 80)
    with Path("out/upscaled.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_id"], row["model_license"], row["scale"]) for row in rows] == [
        ("a", "bsd-3-clause", "4"),
        ("sub/b", "bsd-3-clause", "4"),
    ]
    page = Path("out/contact-sheet.html").read_text()
    assert page.count('type="range"') == 2
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_failed_image_is_named_and_the_exit_code_says_so() -> None:
    Path("in/c.png").write_bytes(b"broken")
    result = run("--model", "bicubic", "--out", "out", "in", "--workers", "1")
    assert result.exit_code == 1
    assert "failed: image in/c.png cannot be read" in result.output
    assert "2 images in out, 1 failed" in result.output
    assert "in/c.png" in Path("out/contact-sheet.html").read_text()


def test_a_picture_that_is_no_result_is_never_overwritten() -> None:
    Path("in/a.png").write_bytes(Path("in/sub/b.png").read_bytes())
    before = Path("in/a.png").read_bytes()
    with pytest.raises(InputError, match=r"in/a\.png is there, and no result of `curate upscale`"):
        run("in/a.jpg", "--model", "bicubic", "--out", "in", "--workers", "1")
    assert Path("in/a.png").read_bytes() == before
    assert not Path("in/upscaled.csv").exists()
    for _ in range(2):  # a result of before may be made again
        assert run("in/a.jpg", "--model", "bicubic", "--out", "out", "--workers", "1").exit_code == 0
    again = run("in/a.jpg", "--model", "bicubic", "--out", "out", "--workers", "1", "--fit", "40x40")
    assert again.exit_code == 0
    with Image.open("out/a.png") as made:
        assert max(made.size) == 40


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        (("--out", "in/out"), InputError, "would be images of the next run"),
        (("--out", "out", "--tile", "10"), ParamsError, "--tile = 10 is refused"),
        (("--out", "out", "--png-level", "12"), ParamsError, "--png-level = 12 is refused"),
        (("--out", "out", "--overlap", "200"), ParamsError, "more than half of tile 256"),
        (("--out", "out", "--model", "there/own.pth"), ParamsError, "license of own .* is not known: name"),
        (("--out", "out", "--model", "own.pth"), ModelError, "own.pth does not exist: set --model"),
        (("--out", "out", "--model", "own.pth", "--license", "mit"), ModelError, "own.pth does not exist"),
        (("--out", "out", "--use", "CC BY-NC"), ParamsError, "--use = 'CC BY-NC' is no license"),
        (
            ("--out", "out", "--model", "4x-UltraSharp.pth", "--use", "CC-BY-NC-4.0"),
            ModelError,
            "4x-UltraSharp.pth does not exist",
        ),
        (
            ("--out", "out", "--model", "there/4x-UltraSharp.pth", "--use", "cc-by-4.0"),
            ParamsError,
            "forbids commercial use",
        ),
    ],
)
def test_mistakes_are_one_line(more: tuple[str, ...], error: type[Exception], says: str) -> None:
    Path("there").mkdir()
    for name in ("own.pth", "4x-UltraSharp.pth"):
        Path("there", name).touch()
    given = ("in", "--model", "bicubic") if "--model" not in more else ("in",)
    with pytest.raises(error, match=says):
        run(*given, *more, "--workers", "1")
    assert not Path("out").exists() or not list(Path("out").glob("*.png"))


def test_a_device_that_is_not_there_is_named_as_it_was_given() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("the device is there")
    weights = real_weights.as_torch(real_weights.compact(), Path("realesr-animevideov3.pth"))
    for model in (str(weights), str(onnx_graphs.enlarging(Path("own.onnx")))):
        with pytest.raises(ModelError, match=r"(?i)cuda.*set --device to"):
            run(
                "in",
                "--model",
                model,
                "--out",
                "out",
                "--license",
                "mit",
                "--device",
                "cuda",
                "--workers",
                "1",
            )
