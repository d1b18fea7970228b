"""The body of a Word document: its blocks, in order, as text; and the notes below it.

Source: ECMA-376, Office Open XML, part 1, section 17. Runs are read by python-docx, which knows of no tracked changes,
content controls and text boxes: these are walked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import attrs

if TYPE_CHECKING:
    from lxml.etree import _Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_P, _R, _TABLE, _ROW, _CELL = (f"{_W}{name}" for name in ("p", "r", "tbl", "tr", "tc"))
_TEXT_BOX = f"{_W}txbxContent"
_UNREAD = frozenset(
    (
        *(
            f"{_W}{name}"
            for name in ("del", "moveFrom", "rt", "pPr", "rPr", "tblPr", "trPr", "tcPr", "sdtPr", "sectPr")
        ),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",  # says again what stands beside it
    )
)
"""The elements that have no text of the document as it stands: deleted, moved away, a gloss, or properties."""
_OFF = ("0", "false", "off", "none")


class Block(NamedTuple):
    """A paragraph, or the row of a table."""

    text: str
    is_close: bool
    """True where no blank line parts it from the block before, if that is close too: items of a list, rows."""


@attrs.define
class BodyReader:
    """A reader of blocks, and what it has left out."""

    hidden: bool = False
    """True once hidden text was left out."""
    contents: bool = False
    """True once a table of contents was left out."""

    def read(self, parent: _Element) -> Iterator[Block]:
        """Yield the blocks below an element, in order, those without text too."""
        merged = ""  # of paragraphs whose ends were deleted
        for element in parent:
            if element.tag == _P:
                text = merged + self._read_paragraph(element)
                merged = text if _find(element, "pPr", "rPr", "del") is not None else ""
                if not merged:
                    yield Block(text, _is_item(element))
                for box in _find_outermost(element, _TEXT_BOX):
                    yield from self.read(box)
            elif element.tag == _TABLE:
                yield from self._read_table(element)
            elif self._is_contents(element):
                self.contents = True
            elif element.tag not in _UNREAD:
                yield from self.read(element)
        if merged:
            yield Block(merged, is_close=False)

    def _is_contents(self, element: _Element) -> bool:
        gallery = _find(element, "sdtPr", "docPartObj", "docPartGallery")
        return gallery is not None and gallery.get(f"{_W}val") == "Table of Contents"

    def _read_table(self, table: _Element) -> Iterator[Block]:
        for row in _find_outermost(table, _ROW):
            if _find(row, "trPr", "del") is not None:
                continue
            cells = [[block for block in self.read(cell) if block.text.strip()] for cell in _find_outermost(row, _CELL)]
            if all(len(cell) <= 1 for cell in cells):
                yield Block("\t".join(block.text for cell in cells for block in cell), is_close=True)
            else:
                yield from (block for cell in cells for block in cell)

    def _read_paragraph(self, paragraph: _Element) -> str:
        return "".join(self._read_runs(paragraph))

    def _read_runs(self, parent: _Element) -> Iterator[str]:
        from docx.text.run import Run

        for element in parent:
            if element.tag == _R and self._is_hidden(element):
                self.hidden = True
            elif element.tag == _R:
                yield Run(element, None).text  # type: ignore[arg-type]  # the parent is asked for styles alone
                yield from self._read_ruby(element)
            elif element.tag == f"{_M}t":
                yield element.text or ""
            elif element.tag not in _UNREAD:
                yield from self._read_runs(element)

    def _read_ruby(self, run: _Element) -> Iterator[str]:
        for ruby in run.iterchildren(f"{_W}ruby"):
            yield from self._read_runs(ruby)

    def _is_hidden(self, run: _Element) -> bool:
        vanish = _find(run, "rPr", "vanish")
        return vanish is not None and vanish.get(f"{_W}val", "true") not in _OFF


def join_blocks(blocks: Iterator[Block]) -> Iterator[str]:
    r"""Yield blocks as text: a blank line between them, a line end between those that are close; none without text.

    >>> "".join(join_blocks(iter([Block("A", False), Block("", False), Block("1", True), Block("2", True)])))
    'A\n\n1\n2'
    """
    before: Block | None = None
    for block in blocks:
        text = block.text.strip("\n").rstrip()
        if not text.strip():
            continue
        if before is not None:
            yield "\n" if before.is_close and block.is_close else "\n\n"
        yield text
        before = block


def _find(element: _Element, *names: str) -> _Element | None:
    """Return what is found by going down from an element, name by name."""
    return element.find("/".join(f"{_W}{name}" for name in names))


def _find_outermost(parent: _Element, tag: str) -> Iterator[_Element]:
    """Yield the elements of a tag below another, in order, but none within one of them or in what is not read."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag not in _UNREAD:
            yield from _find_outermost(element, tag)


def _is_item(paragraph: _Element) -> bool:
    style = _find(paragraph, "pPr", "pStyle")
    named = style is not None and style.get(f"{_W}val", "").startswith("List")
    return named or _find(paragraph, "pPr", "numPr") is not None
