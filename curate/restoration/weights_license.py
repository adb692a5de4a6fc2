"""Under which license weights stand, and whether what they make may go into a release."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from curate.errors import ParamsError
from curate.params.licenses import HUB_LICENSES
from curate.params.upscale import BICUBIC

NO_WEIGHTS: Final = "none"  # bicubic: there are none
_WHERE: Final = "upscale.licenses, or --license"
_NON_COMMERCIAL: Final = re.compile(r"-nc(-|$)|^deepfloyd-if-license$")
_SILENT: Final = "other"  # says nothing of commercial use
# Weights that are published under one name everywhere, by the beginning of the file's name in lower case
# without signs; those that forbid commercial use by any part of it, since what is mixed of them does too.
# Sources: the license files of xinntao/Real-ESRGAN and JingyunLiang/SwinIR, the model page of
# stabilityai/stable-diffusion-x4-upscaler, and OpenModelDB for UltraSharp, AnimeSharp and Remacri.
_PUBLISHED: Final[Mapping[str, str]] = {
    "realesrgan": "bsd-3-clause",
    "realesranimevideo": "bsd-3-clause",
    "realesrgeneral": "bsd-3-clause",
    "001classicalsr": "apache-2.0",
    "003realsrbsrgan": "apache-2.0",
    "ultrasharp": "cc-by-nc-sa-4.0",
    "animesharp": "cc-by-nc-sa-4.0",
    "remacri": "cc-by-nc-sa-4.0",
    "stablediffusionx4upscaler": "openrail++",
}


def is_non_commercial(license: str) -> bool:
    """Whether a license forbids commercial use.

    Examples:
        >>> is_non_commercial("cc-by-nc-sa-4.0"), is_non_commercial("bsd-3-clause"), is_non_commercial("ncsa")
        (True, False, False)
    """
    return bool(_NON_COMMERCIAL.search(license))


def published_license(weights: str) -> str | None:
    """The license of weights that everybody knows by the name of their file; None = not known."""
    plain = re.sub(r"[^a-z0-9]", "", Path(weights).name.lower())
    forbidding = (text for part, text in _PUBLISHED.items() if part in plain and is_non_commercial(text))
    others = (text for begin, text in _PUBLISHED.items() if plain.startswith(begin))
    return next(forbidding, None) or next(others, None)


def license_of(name: str, weights: str, stated: str | None) -> str:
    """The license of one model's weights.

    Args:
        name: What the user calls the model.
        weights: Its file, or bicubic.
        stated: What the user says; None = nothing.

    Raises:
        ParamsError: Nobody knows it, the Hub does not know the identifier, or weights that are published
            under a license that forbids commercial use are said to stand under another.
    """
    if weights == BICUBIC:
        return NO_WEIGHTS
    published = published_license(weights)
    if stated is None:
        if published is None:
            raise ParamsError(f"the license of {name} ({weights}) is not known: name it ({_WHERE})")
        return published
    if stated not in HUB_LICENSES or stated == "unknown":  # which the Hub accepts, but says nothing
        raise ParamsError(
            f"license {stated!r} of {name} is none that the Hub knows ({_WHERE}): other = none of them"
        )
    if published is not None and is_non_commercial(published) and not is_non_commercial(stated):
        raise ParamsError(
            f"license {stated!r} of {name}: {Path(weights).name} is published under {published} ({_WHERE})"
        )
    return stated


def of_use(text: str) -> str:
    """The license that the user passes results on under, as the Hub writes it.

    Raises:
        ParamsError: The Hub does not know it.

    Examples:
        >>> of_use("CC-BY-NC-4.0")
        'cc-by-nc-4.0'
    """
    if text.lower() not in HUB_LICENSES or text.lower() == "unknown":
        raise ParamsError(f"--use = {text!r} is no license that the Hub knows, such as cc-by-4.0")
    return text.lower()


def refuse_for_release(
    licenses: Mapping[str, str], release_license: str, commercial_use: Collection[str] = ()
) -> None:
    """Refuse weights that forbid commercial use, or may, where the release does not forbid it.

    Args:
        licenses: Of the weights, by model.
        release_license: Of the release.
        commercial_use: Models under another license than the Hub knows (`other`), which allows it.

    Raises:
        ParamsError: Names the model, its license and what to do.
    """
    if is_non_commercial(release_license):
        return
    for name, license in licenses.items():
        if is_non_commercial(license):
            raise ParamsError(
                f"model {name} stands under {license}, which forbids commercial use, and what you release "
                f"under {release_license} does not: leave the model out, or release under a -nc- license"
            )
        if license == _SILENT and name not in commercial_use:
            raise ParamsError(
                f"model {name} stands under {license}, and what you release under {release_license} is for "
                "commercial use too: if its license allows that, say so (upscale.commercial_use, or "
                "--commercial-use); else leave the model out, or release under a -nc- license"
            )
