"""The labelers' guideline: the Markdown that people write by hand, as the HTML that Label Studio shows.

Label Studio takes out of it whatever its own list does not allow: `style` attributes, the first number of a
list, images inside the page. So none of these is written: there is one style sheet, a list's numbers stand at
its items, and images are uploaded to the project.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from curate.errors import AnnotationToolError
from curate.extras import require
from curate.records import Category

_KINDS: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_IMAGE_BYTES: Final = 2_000_000  # of one image: the page loads all of them with the first task
_ADDRESS: Final = re.compile(r'src="([^"]*/data/upload/[^"]*(guideline-[0-9a-f]{12}\.\w+))"')
_VOID: Final = frozenset({"br", "hr", "img"})
_NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})
# The page itself shows lists without marks, tables without lines, and no space between paragraphs.
_STYLE: Final = "".join(
    f".guideline {selector} {{{rules}}}\n"
    for selector, rules in (
        (":is(p, ul, ol, table, pre, blockquote)", "margin: 0 0 12px"),
        (":is(h1, h2, h3)", "margin: 16px 0 8px; line-height: 1.3"),
        ("ul", "list-style: disc; padding-left: 24px"),
        ("ol", "list-style: decimal; padding-left: 24px"),
        ("li :is(ul, ol, p)", "margin: 0"),
        ("table", "border-collapse: collapse"),
        (":is(th, td)", "border: 1px solid; padding: 4px 8px"),
        ("blockquote", "border-left: 3px solid; padding-left: 12px"),
        (":is(code, pre)", "font-family: monospace"),
        ("img", "max-width: 100%"),
    )
)


def to_html(
    markdown: str,
    *,
    categories: Sequence[Category] = (),
    folder: Path | None = None,
    addresses: Mapping[str, str] = _NOWHERE,
) -> str:
    """CommonMark with tables and ~~deleted~~ text, and a list of the categories that have a description.

    HTML in the Markdown is shown as it is written, and links that would run a program (`javascript:`) are no
    links: the page of everybody who labels shows it.

    Args:
        markdown: The guideline.
        categories: Their descriptions are added at the end.
        folder: Where images with relative addresses are.
        addresses: Where these are on the server, by the names that `images` gives them.

    Raises:
        AnnotationToolError: An image is missing, of another kind than a browser shows, or too large.
    """
    parser, tokens = _parsed(markdown)
    for number, token in enumerate(tokens):
        if token.type == "ordered_list_open" and "start" in token.attrs:
            tokens[number + 1].attrs["value"] = token.attrs.pop("start")
        elif token.type in {"th_open", "td_open"} and "style" in token.attrs:
            token.attrs["align"] = str(token.attrs.pop("style")).removeprefix("text-align:")
        for child, source in _local_images(token, folder):
            name, _ = _image(source)
            child.attrs["src"] = addresses.get(name, name)
    described = [category for category in categories if category.meaning]
    listed = "".join(
        f"<li><b>{html.escape(one.name)}</b>: {html.escape(one.meaning)}</li>" for one in described
    )
    text = str(parser.renderer.render(tokens, parser.options, {})).strip()
    whole = f"{text}\n<h2>Categories</h2>\n<ul>{listed}</ul>".strip() if listed else text
    return f'<style>{_STYLE}</style><div class="guideline">{whole}</div>' if whole else ""


def images(markdown: str, folder: Path | None) -> dict[str, bytes]:
    """The images of `folder` that a guideline shows, by names that are made of their content.

    Raises:
        AnnotationToolError: As `to_html`.
    """
    _, tokens = _parsed(markdown)
    return dict(_image(source) for token in tokens for _, source in _local_images(token, folder))


def addresses(shown: str) -> dict[str, str]:
    """Addresses at which the server has the images of a guideline, by name."""
    return {name: html.unescape(address) for address, name in _ADDRESS.findall(shown)}


def same(there: str, wanted: str) -> bool:
    """Whether two texts are the same HTML: the server writes it in its own way."""
    return _Content(there).found == _Content(wanted).found


class _Content(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[object] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, sorted(attrs, key=str)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.found.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _parsed(markdown: str) -> tuple[Any, list[Any]]:
    library = require("markdown_it", extra="labelstudio")
    parser = library.MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser, parser.parse(markdown)


def _local_images(token: Any, folder: Path | None) -> list[tuple[Any, Path]]:
    """Parts of a text that show an image of the folder, and its file."""
    shown = [child for child in token.children or () if child.type == "image"]
    sources = [(child, str(child.attrs["src"])) for child in shown] if folder is not None else []
    local = [(child, source) for child, source in sources if ":" not in source and not source.startswith("/")]
    return [(child, (folder or Path()) / unquote(source)) for child, source in local]


def _image(path: Path) -> tuple[str, bytes]:
    """Name and content."""
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise AnnotationToolError(f"the guideline shows {path}: expected one of {', '.join(_KINDS)}")
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
    return f"guideline-{hashlib.sha256(content).hexdigest()[:12]}{kind}", content
