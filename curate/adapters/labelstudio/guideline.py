"""The labelers' guideline: the Markdown that people write by hand, as the HTML that Label Studio shows."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from curate.errors import AnnotationToolError
from curate.extras import require
from curate.records import Category

_KINDS: Final = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp"}
_IMAGE_BYTES: Final = 2_000_000  # of one image: the page loads all of them with the first task


def to_html(markdown: str, *, categories: Sequence[Category] = (), folder: Path | None = None) -> str:
    """CommonMark with tables and ~~deleted~~ text, and a list of the categories that have a description.

    HTML in the Markdown is shown as it is written, and links that would run a program (`javascript:`) are no
    links: the page of everybody who labels shows it.

    Args:
        markdown: The guideline.
        categories: Their descriptions are added at the end.
        folder: Where images with relative addresses are; they become part of the page.

    Raises:
        AnnotationToolError: An image is missing, of another kind than a browser shows, or too large.
    """
    library = require("markdown_it", extra="labelstudio")
    parser = library.MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image" and folder is not None:
                _embed(child, folder)
    described = [category for category in categories if category.meaning]
    listed = "".join(
        f"<li><b>{html.escape(one.name)}</b>: {html.escape(one.meaning)}</li>" for one in described
    )
    text = str(parser.renderer.render(tokens, parser.options, {})).strip()
    return f"{text}\n<h2>Categories</h2>\n<ul>{listed}</ul>".strip() if listed else text


def _embed(token: Any, folder: Path) -> None:
    """Put a local image into the page: the server has no folder for it."""
    source = str(token.attrs["src"])
    if ":" in source or source.startswith("/"):
        return
    path = folder / unquote(source)
    if path.suffix.lower() not in _KINDS:
        raise AnnotationToolError(f"the guideline shows {source}: expected one of {', '.join(_KINDS)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnnotationToolError(
            f"the guideline shows {path}, which cannot be read: {error.strerror}"
        ) from error
    if len(content) > _IMAGE_BYTES:
        raise AnnotationToolError(
            f"the guideline shows {path} of {len(content):,} bytes, at most {_IMAGE_BYTES:,}: make it smaller"
        )
    kind = _KINDS[path.suffix.lower()]
    token.attrs["src"] = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
