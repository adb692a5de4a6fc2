"""Who made a release and how to cite it: the end of the cards of every kind of data set."""

from __future__ import annotations

from curate.release.markdown import escaped


def section(*, citation: str, contact: str) -> str:
    """Markdown of how to cite the data set and whom to write to; says so where the project does not tell.

    Args:
        citation: The user's text, shown as it stands; may be empty.
        contact: The user's text; may be empty.

    Examples:
        >>> print(section(citation="", contact="data@example.org"))
        ## Citation
        <BLANKLINE>
        The project does not say how to cite the data set (`release.citation`).
        <BLANKLINE>
        ## Contact
        <BLANKLINE>
        data@example.org
        <BLANKLINE>
    """
    text = citation.strip().replace("```", "")
    cited = (
        f"```\n{text}\n```"
        if text
        else "The project does not say how to cite the data set (`release.citation`)."
    )
    person = escaped(contact) or "The project does not say whom to write to (`release.contact`)."
    return f"## Citation\n\n{cited}\n\n## Contact\n\n{person}\n"
