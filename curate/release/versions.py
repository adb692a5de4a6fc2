"""The version of the next release, from what changed since the last one that was published."""

from __future__ import annotations

from typing import Final, Literal

from curate.errors import ReleaseError
from curate.release.diff import Diff
from curate.release.manifest import Manifest

AUTO: Final = "auto"
FIRST: Final = "0.1.0"
Step = Literal["major", "minor", "patch"]


def step(diff: Diff) -> Step:
    """How large a change is: columns or categories are major, data and license minor, all else a patch."""
    if any(diff.columns.values()) or any(diff.categories.values()):
        return "major"
    data = diff.images.num_rows or diff.objects.num_rows or diff.license[0] != diff.license[1]
    return "minor" if data or diff.before.manifest.digest != diff.after.manifest.digest else "patch"


def raised(version: str, by: Step) -> str:
    """The version after `version`.

    Examples:
        >>> [raised('1.2.3', by) for by in ('major', 'minor', 'patch')]
        ['2.0.0', '1.3.0', '1.2.4']
    """
    major, minor, patch = parts(version)
    return {
        "major": f"{major + 1}.0.0",
        "minor": f"{major}.{minor + 1}.0",
        "patch": f"{major}.{minor}.{patch + 1}",
    }[by]


def parts(version: str) -> tuple[int, int, int]:
    """The three numbers of a version.

    Raises:
        ReleaseError: It is no version.
    """
    try:
        major, minor, patch = (int(number) for number in version.removeprefix("v").split("."))
    except ValueError as error:
        raise ReleaseError(f"{version!r} is no version: expected three numbers, such as 1.2.0") from error
    return major, minor, patch


def chosen(wanted: str, last: Manifest | None, suggested: str) -> str:
    """The version that a release gets.

    Args:
        wanted: Of params.yaml; `auto` = what the change asks for.
        last: The last release that was published; None = there is none.
        suggested: What the change asks for; that of `last` where nothing changed.

    Raises:
        ReleaseError: `wanted` goes backwards, or names what was published with another content.
    """
    if wanted == AUTO:
        return suggested
    if last is None:
        return wanted
    if parts(wanted) < parts(last.version):
        raise ReleaseError(
            f"release.version {wanted} goes backwards: {last.version} was published; the change asks for "
            f"{suggested} (release.version: auto)"
        )
    if wanted == last.version and suggested != last.version:
        raise ReleaseError(
            f"release.version {wanted} was published with another content: the change asks for {suggested} "
            "(release.version: auto)"
        )
    return wanted
