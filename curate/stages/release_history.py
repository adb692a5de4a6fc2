"""What a new release changes since the last one that was published: its version and its changelog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.errors import ReleaseError
from curate.release import changelog, diff, diff_columns, manifest, versions
from curate.release.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a release.

    Attributes:
        number: Three numbers.
        changelog: Of the data set, with this version on top.
        files: Of the last release, where no data changed: with other files, such as a card of other words,
            it is
            not that version but `otherwise`.
        otherwise: None = params.yaml asks for this very version.
    """

    number: str
    changelog: str
    files: Mapping[str, tuple[int, str]] | None = None
    otherwise: Version | None = None

    def of(self, made: Manifest) -> Version:
        """The version that files of this version's card have.

        Raises:
            ReleaseError: They differ from what was published as the version that params.yaml asks for.
        """
        if self.files is None or self.files == made.files:
            return self
        if self.otherwise is None:
            names = sorted(
                name for name in {*self.files, *made.files} if self.files.get(name) != made.files.get(name)
            )
            raise ReleaseError(
                f"release.version {self.number} was published with another {names[0]}: set "
                "release.version: auto, or raise it"
            )
        return self.otherwise


def next_version(wanted: str, folder: Path, described: Manifest, published: Path | None) -> Version:
    """Compare a release that is being written with the last published one.

    Args:
        wanted: Of params.yaml: a version, or `auto`.
        folder: With data/ written already.
        described: Its release.json to be, with any version.
        published: What the stage publish kept of the last published release; None, or nothing there = none
            was.

    Raises:
        ReleaseError: The version goes backwards, names another content, or what was kept is damaged.
    """
    manifest.write(folder, described)  # for the comparison; the final one replaces it
    new = diff_columns.load(folder)
    (folder / manifest.NAME).unlink()
    if published is None or not (published / manifest.NAME).exists():
        number = versions.chosen(wanted, None, versions.FIRST)
        return Version(number, changelog.add("", number, changelog.first(new)))
    old = diff_columns.load(published)
    text = _text(published / changelog.NAME)
    last = old.manifest
    if last.name != described.name:
        raise ReleaseError(
            f"{published} is about {last.name!r}, this release is {described.name!r}: remove that folder if "
            "this is another data set, which begins anew"
        )
    change = diff.compare(old, new)
    same = last.digest == described.digest and versions.step(change) == "patch"
    if same and wanted in (versions.AUTO, last.version):
        number = versions.raised(last.version, "patch")
        patch = Version(number, changelog.add(text, number, changelog.section(change)))
        return Version(last.version, text, last.files, patch if wanted == versions.AUTO else None)
    suggested = versions.raised(last.version, versions.step(change))
    number = versions.chosen(wanted, last, suggested)
    return Version(number, changelog.add(text, number, changelog.section(change)))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
