"""XML files of labels, with the line of each element, and without entities."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from curate.formats.label_entries import EntryError

_LINE = "{curate}line"


def parse(path: Path) -> ET.Element:
    """Parse a file and return its outermost element.

    Raises:
        EntryError: It cannot be read, is no XML, or declares entities (which can be made to fill the memory).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EntryError("damaged", f"cannot be read: {error.strerror}") from error
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def end(tag: str) -> None:
        builder.end(tag)

    def entity(*_: object) -> None:
        raise EntryError("damaged", "it declares entities, which labels have no use for")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise EntryError("damaged", f"no XML: {error}") from error
    return builder.close()


def line(element: ET.Element) -> int:
    """Its line in the file it was parsed from; 0 = not known."""
    return int(element.get(_LINE, 0))


def write(tree: ET.Element, path: Path) -> None:
    """Write a file, indented, in UTF-8, which needs no declaration: some readers refuse one."""
    ET.indent(tree)
    ET.ElementTree(tree).write(path, encoding="utf-8", xml_declaration=False)
