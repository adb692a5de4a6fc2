"""Pictures of README and gallery, from a finished demo: docs/images/labelled.jpg, report.png and more.

Run it in the project's folder: `python -m demo.readme_pictures`. It needs Chromium and the extra dev.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from PIL import Image

from curate.extras import require
from curate.records import Annotation
from curate.report import drawing, inputs, labels, page

FOLDER = Path("docs/images")
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
WIDTH, COLUMNS, IMAGES = 900, 3, 6  # pixels; of the mosaic
WINDOW = (1200, 1180)  # pixels of the page that the README shows
SECTIONS = {"annotators": "#people", "label-errors": "#label-errors", "agreement": "#agreement"}
TALLEST, MARGIN = 1100, 24  # pixels of a section


def main() -> None:
    """Write both pictures and say where they are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = [labeled(Path(), FOLDER / "labelled.jpg"), *report(Path(), FOLDER)]
    for path in made:
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def labeled(root: Path, out: Path) -> Path:
    """A mosaic of labelled images with masks and boxes, as the report draws them."""
    project = inputs.load(root)
    rows: dict[str, list[Annotation]] = {key: [] for key in labels.gallery_order(project)}
    for row in project.tables.consensus or ():
        rows.get(row.image_id, []).append(row)
    images = {image.image_id: image for image in project.tables.images}
    sizes = Counter((images[key].width, images[key].height) for key in rows)
    (usual, _), *_ = sizes.most_common(1)  # equal cells look best with equal pictures
    chosen = [key for key in rows if (images[key].width, images[key].height) == usual][:IMAGES]
    cells = []
    for key in chosen:
        with Image.open(root / str(images[key].path)) as file:
            marks = drawing.marks_of(rows[key], project.colors)
            cells.append(drawing.annotate(file.convert("RGB"), marks, size=file.size, side=WIDTH // COLUMNS))
    drawing.mosaic(cells, width=WIDTH, columns=COLUMNS).save(out, quality=88, optimize=True)
    return out


def report(root: Path, folder: Path) -> list[Path]:
    """The top of the report page, and some of its sections, as Chromium shows them."""
    playwright = require("playwright.sync_api", extra="dev")
    made = [folder / "report.png"]
    with tempfile.TemporaryDirectory() as scratch, playwright.sync_playwright() as driver:
        html = page.write(root, Path(scratch) / "index.html")
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        window = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        window.goto(html.as_uri())
        window.screenshot(path=str(made[0]))
        for name, section in SECTIONS.items():
            made.append(folder / f"report-{name}.jpg")
            area = window.locator(section).bounding_box()
            area |= {"x": area["x"] - MARGIN, "width": area["width"] + 2 * MARGIN}
            area["height"] = min(area["height"], TALLEST)
            shot = Path(scratch) / "section.png"
            window.screenshot(path=str(shot), full_page=True, clip=area)
            with Image.open(shot) as picture:
                picture.convert("RGB").save(made[-1], quality=86, optimize=True)
        browser.close()
    with Image.open(made[0]) as picture:
        picture.convert("RGB").save(made[0], optimize=True)
    return made


if __name__ == "__main__":
    main()
