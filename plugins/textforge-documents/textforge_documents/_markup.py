"""The parsing of pages: from bytes to a tree of elements, in the encoding that the page is in."""

from __future__ import annotations

import codecs
import html.entities
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from textforge.corpora.decoding import AUTO, TextDecoder, check_encoding
from textforge.corpora.detecting import UndecidedError
from textforge.corpora.findings import Findings
from textforge.corpora.paths import title
from textforge.errors import CorpusError
from textforge_documents._layout import Layout

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST_PAGE = 1 << 26
"""Bytes of the largest page that is read: a page is held in memory as a whole."""
_HEAD_BYTES = 1 << 12
_BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})|<meta[^>]{0,400}?charset\s*=\s*["']?([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_LABELS = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac-roman",
    "tis-620": "cp874",
}
"""Labels that stand for a larger encoding, by the Encoding standard: pages use what that has more."""
_XML_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>")
_IS_XHTML = re.compile(r"\s*<\?xml\b|.*?<html\b[^>]*http://www\.w3\.org/1999/xhtml", re.DOTALL)
_NAMED_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_XML_ENTITIES = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))
_TOO_DEEP = "Excessive depth"


def read_page(
    data: bytes, name: str, findings: Findings, encoding: str = AUTO, errors: str = "strict"
) -> Iterator[str]:
    """Yield the text of a page, in chunks; raises `CorpusError`, which names it, where that can't be found."""
    root = parse_page(decode_page(data, name, findings, encoding, errors), name, findings)
    if root is None:
        return
    layout = Layout()
    yield from layout.read(root)
    if layout.left_out_furniture:
        findings.add_among("left out navigation, page numbers or form fields", name)


def decode_page(data: bytes, name: str, findings: Findings, encoding: str = AUTO, errors: str = "strict") -> str:
    """Return a page as text: in UTF-8 where it is that, else as it says itself, else as other files are read."""
    declared = find_declared(data) if encoding == AUTO else None
    found = encoding if encoding != AUTO else _choose(data, declared, name, findings)
    decoder = TextDecoder(found, errors, universal_newlines=True)
    try:
        text = decoder.decode(data, final=True)
    except UndecidedError as error:
        raise CorpusError(
            f"{title(name)} {error.reason}, and names no encoding; give it, as in encoding=cp1250, or convert the page"
        ) from None
    except UnicodeError as error:
        at = f"byte {decoder.offset(error)} " if isinstance(error, UnicodeDecodeError) else ""
        says = f", though it says so itself ({declared})" if declared else ""
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise CorpusError(
            f"{title(name)} is not in {found}{says}: {at}{reason}; name another encoding, or have such bytes replaced "
            "by errors=replace"
        ) from None
    if encoding == AUTO and declared is None:
        findings.add_decoded(name, decoder.found_encoding)
    return text


def _choose(data: bytes, declared: str | None, name: str, findings: Findings) -> str:
    """Return the encoding to read a page in; `AUTO` where neither its bytes nor what it says decides."""
    if data.startswith(_BYTE_ORDER_MARKS) or declared is None:
        return AUTO
    if data.isascii() or not _is_utf_8(data):
        return declared
    if codecs.lookup(declared).name != "utf-8":
        findings.add_among(f"in UTF-8, and read as that, though it says {declared}", name)
    return "utf-8"


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def find_declared(data: bytes) -> str | None:
    """Return the encoding that a page says it is in, in its XML declaration or a ``meta``; None without a known one.

    >>> find_declared(b'<meta charset="ISO-8859-1">'), find_declared(b"<p>")
    ('cp1252', None)
    """
    found = _DECLARED.search(data[:_HEAD_BYTES])
    if found is None:
        return None
    label = (found[1] or found[2]).decode("ascii").lower()
    encoding = _LABELS.get(label, label)
    if encoding.startswith(("utf-16", "utf-32")):
        return "utf-8"  # for it could be read so far: the Encoding standard has it so
    try:
        check_encoding(encoding)
    except ValueError:
        return None
    return None if encoding == AUTO else encoding


def parse_page(text: str, name: str, findings: Findings) -> _Element | None:
    """Return the root of a page; None where it has no elements and no text.

    What says that it is XHTML is parsed as XML first, where an element may be empty that HTML would leave open. No
    entity is expanded but HTML's own, and nothing is read from elsewhere. Raises `CorpusError` for a page that is
    nested deeper than any is.
    """
    root = _parse_xml(text, name, findings) if _IS_XHTML.match(text[:_HEAD_BYTES]) else None
    return _parse_html(text, name) if root is None else root


def _parse_xml(text: str, name: str, findings: Findings) -> _Element | None:
    from lxml import etree

    text = _NAMED_ENTITY.sub(_expand, _XML_DECLARATION.sub("", text, count=1))
    parser = make_xml_parser(encoding="utf-8")
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        return None
    if next(root.iter(etree.Entity), None) is not None:
        findings.add_among("left out entities that it declares itself, which are not expanded", name)
        etree.strip_elements(root, etree.Entity, with_tail=False)
    return root


def make_xml_parser(**options: str) -> object:
    """Return a parser of XML that expands no entities, loads no DTD, and never asks the network."""
    from lxml import etree

    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        **options,
    )


def _expand(match: re.Match[str]) -> str:
    if match[1] in _XML_ENTITIES:
        return match[0]
    return html.entities.html5.get(match[1], match[0])


def _parse_html(text: str, name: str) -> _Element | None:
    from lxml import etree

    # what is larger or nested deeper than this library's bounds is else cut off without a word
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    data = _XML_DECLARATION.sub("", text, count=1).encode("utf-8", "replace")
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if not data.strip():
            return None
        raise CorpusError(f"{title(name)} can't be parsed as HTML: {error.msg}; mend it, or leave it out") from error
    if fatal := next((error for error in parser.error_log if error.level_name == "FATAL"), None):
        reason = "it is nested more than 2,000 deep" if _TOO_DEEP in fatal.message else fatal.message
        raise CorpusError(f"{title(name)} can't be parsed as HTML: {reason}; mend it, or leave it out")
    return root
