"""The site is built strictly, and every link in the pages of the root leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import curate

ROOT = Path(__file__).parents[2]


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.integration
def test_the_site_is_built_and_a_broken_link_is_an_error(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site/api/index.html").read_text()
    for module, name in curate._PUBLIC.values():
        assert f'id="{module}.{name}"' in page
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "curate").symlink_to(ROOT / "curate")
    shutil.copy2(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs/start.md").open("a") as file:
        file.write("\n[nowhere](nowhere.md)\n")
    done = build(tmp_path, tmp_path / "other")
    assert done.returncode != 0
    assert "nowhere.md" in done.stdout + done.stderr


def test_every_public_name_stands_on_the_page() -> None:
    text = (ROOT / "docs/api.md").read_text()
    named = sorted(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    assert named == sorted(f"{module}.{name}" for module, name in curate._PUBLIC.values())
    for alias, (module, name) in curate._PUBLIC.items():
        assert alias == name or f"`curate.{alias}` is `{module}.{name}`" in text


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_root_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_gallery_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs, but for those that need a project of the reader's."""
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs/gallery.md").read_text(), re.DOTALL)
    able = [text for text in programs if "photos" not in text and "load_dataset" not in text]
    assert len(able) >= 2
    for text in able:
        exec(compile(text, "docs/gallery.md", "exec"), {})  # noqa: S102
