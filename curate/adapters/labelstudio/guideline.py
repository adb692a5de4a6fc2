"""The labelers' guideline: the Markdown that people write by hand, as the HTML that Label Studio shows."""

from __future__ import annotations

import html
import re

_BOLD, _CODE = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"`(.+?)`")
_HEADING, _ITEM = re.compile(r"(#{1,4}) +(.*)"), re.compile(r"[-*] +(.*)")


def to_html(markdown: str) -> str:
    """Headings, paragraphs, lists with `-`, bold and code; everything else is shown as it is written."""
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        while lines:
            blocks.append(_next_block(lines))
    return "\n".join(blocks)


def _next_block(lines: list[str]) -> str:
    """Take one heading, list or paragraph from the front of `lines`."""
    if heading := _HEADING.fullmatch(lines[0]):
        del lines[0]
        level = len(heading[1])
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    is_list = _ITEM.fullmatch(lines[0]) is not None
    count = next(
        (
            i
            for i, line in enumerate(lines)
            if bool(_ITEM.fullmatch(line)) != is_list or _HEADING.fullmatch(line)
        ),
        len(lines),
    )
    taken = [lines.pop(0) for _ in range(count)]
    if is_list:
        return "<ul>" + "".join(f"<li>{_inline(line[1:].strip())}</li>" for line in taken) + "</ul>"
    return "<p>" + " ".join(_inline(line) for line in taken) + "</p>"


def _inline(text: str) -> str:
    text = html.escape(text, quote=False)
    return _CODE.sub(r"<code>\1</code>", _BOLD.sub(r"<b>\1</b>", text))
