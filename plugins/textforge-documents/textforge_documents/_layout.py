"""The layout of a page: from a tree of elements to text, as a reader sees its lines and paragraphs.

Blocks end lines, and paragraphs are parted by a blank line, as the rendering section of the HTML standard has them.
White space is collapsed as CSS does it: a no-break or an ideographic space is a character like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element


def _list(names: str) -> frozenset[str]:
    return frozenset(names.split())


_LINES = _list(
    "body caption center dd details dialog dir div dt fieldset figcaption footer form header hgroup html legend li main"
    " menu nav optgroup option search summary tbody tfoot thead tr"
)
"""The elements that have lines of their own."""
_PARAGRAPHS = _list(
    "address article aside blockquote dl figure h1 h2 h3 h4 h5 h6 hr listing ol p plaintext pre section table ul xmp"
)
"""The elements that a blank line parts from what is before and behind."""
_LISTS = _list("dir dl menu ol ul")
_PREFORMATTED = _list("listing plaintext pre xmp")
_UNSEEN = _list(
    "annotation annotation-xml audio canvas datalist head iframe noembed noframes noscript object rp rt script style"
    " svg template title video"
)
"""The elements whose text no reader of a page sees, or sees as a gloss above it (``rt``)."""
_FURNITURE = _list("button input nav select textarea")
_ROLES = _list("navigation doc-toc doc-pagebreak doc-pagelist")
_HIDDEN_STYLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_SPACE = re.compile(r"[ \t\n\r\f]+")
_SOFT_HYPHEN = "\u00ad"
_CHUNK = 1 << 16


class Layout:
    r"""The text of a page, line by line.

    >>> from lxml import html
    >>> page = "<h1>One</h1><p>It<b>&nbsp;is</b><br>so.<script>x</script><ul><li>a<li>b</ul>"
    >>> "".join(Layout().read(html.fromstring(page)))
    'One\n\nIt\xa0is\nso.\n\na\nb'
    """

    def __init__(self) -> None:
        self.left_out_furniture = False
        """True once navigation or form fields with text were left out."""
        self._parts: list[str] = []
        self._size = 0
        self._begun = False
        self._gap = 0  # line ends before the next line: 2 make a blank one
        self._line: list[str] = []
        self._raw = 0  # preformatted elements that are open
        self._lists = 0

    def read(self, root: _Element) -> Iterator[str]:
        """Yield the text of a tree without comments and entities, in chunks; nothing where it has none."""
        from lxml.etree import iterwalk

        skipped = None
        walk = iterwalk(root, events=("start", "end"))
        for event, element in walk:
            name = element.tag.rpartition("}")[2]
            if event == "start" and self._is_left_out(element, name):
                skipped = element
                walk.skip_subtree()
            elif event == "start":
                self._open(name)
                self._write(element.text)
            else:
                self._close(name, skipped is element)
                skipped = None
                self._write(element.tail if element is not root else None)
            if self._size >= _CHUNK:
                yield self._take()
        self._break(0)
        if self._parts:
            yield self._take()

    def _take(self) -> str:
        text = "".join(self._parts)
        self._parts, self._size = [], 0
        return text

    def _is_left_out(self, element: _Element, name: str) -> bool:
        """Return whether an element is left out with all that is in it."""
        attributes = element.attrib
        if name in _FURNITURE or attributes.get("role") in _ROLES or attributes.get(_EPUB_TYPE) == "pagebreak":
            self.left_out_furniture |= any(text.strip() for text in element.itertext())
            return True
        return name in _UNSEEN or (
            bool(attributes)
            and (
                "hidden" in attributes
                or attributes.get("aria-hidden") == "true"
                or _HIDDEN_STYLE.search(attributes.get("style", "")) is not None
            )
        )

    def _open(self, name: str) -> None:
        if name == "br":
            self._break_line()
        elif name in ("td", "th"):
            if self._line:
                self._line.append("\t")
        elif name in _PARAGRAPHS:
            self._break(1 if name in _LISTS and self._lists else 2)
        elif name in _LINES:
            self._break(1)
        self._lists += name in _LISTS
        self._raw += name in _PREFORMATTED

    def _close(self, name: str, skipped: bool) -> None:
        self._lists -= name in _LISTS and not skipped
        if name in _PARAGRAPHS and not skipped:
            self._break(1 if name in _LISTS and self._lists else 2)
        elif name in _LINES or name in _PARAGRAPHS:
            self._break(1)
        self._raw -= name in _PREFORMATTED and not skipped

    def _write(self, text: str | None) -> None:
        if not text:
            return
        if self._raw:
            self._line.append(text)
            return
        text = _SPACE.sub(" ", text)
        if text[0] == " " and (not self._line or self._line[-1][-1:] in (" ", "\t", "\n")):
            text = text[1:]
        if text:
            self._line.append(text)

    def _break_line(self) -> None:
        """End the line where there is one; else leave a blank line."""
        if "".join(self._line).strip(" "):
            self._break(1)
        else:
            self._break(2)

    def _break(self, gap: int) -> None:
        """End the line, and part it from the next by as many line ends as `gap` has at the least."""
        if self._line:
            line = "".join(self._line).replace(_SOFT_HYPHEN, "")
            line = line.strip("\r\n").rstrip() if self._raw else line.strip(" \t\n")
            self._line = []
            if line.strip():
                self._parts += ("\n" * self._gap if self._begun else "", line)
                self._size += len(line)
                self._begun, self._gap = True, 0
        self._gap = max(self._gap, gap)
