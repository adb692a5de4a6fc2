"""Where the texts of licenses stand."""

from __future__ import annotations

from typing import Final

_CREATIVE_COMMONS: Final = ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
_LINKS: Final = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "odbl": "https://opendatacommons.org/licenses/odbl/1-0/",
    "odc-by": "https://opendatacommons.org/licenses/by/1-0/",
    "pddl": "https://opendatacommons.org/licenses/pddl/1-0/",
    "cdla-permissive-2.0": "https://cdla.dev/permissive-2-0/",
    "cdla-sharing-1.0": "https://cdla.dev/sharing-1-0/",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "mit": "https://opensource.org/license/mit",
    **{
        f"cc-{kind}-{version}": f"https://creativecommons.org/licenses/{kind}/{version}/"
        for kind in _CREATIVE_COMMONS
        for version in ("2.0", "2.5", "3.0", "4.0")
    },
}


def link_of(license: str) -> str | None:
    """The address of a license's text; None where it is not known here.

    Examples:
        >>> link_of('CC-BY-4.0')
        'https://creativecommons.org/licenses/by/4.0/'
    """
    return _LINKS.get(license.lower().replace(" ", "-"))
