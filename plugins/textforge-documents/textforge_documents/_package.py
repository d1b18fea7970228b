"""The containers of documents: ZIP archives that are no folders of texts, read part by part in bounded memory."""

from __future__ import annotations

import posixpath
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from textforge.corpora.archives import read_member
from textforge.corpora.binary import HEAD_BYTES, describe_binary
from textforge.corpora.compression import check_ratio
from textforge.corpora.paths import title
from textforge.corpora.sources import Source, Sources
from textforge.errors import CorpusError
from textforge_documents._markup import make_xml_parser

if TYPE_CHECKING:
    from lxml.etree import _Element

LARGEST_PART = 1 << 26
"""Bytes of the largest part that is read: a part is held in memory as a whole."""
_SPOOLED_BYTES = 1 << 24
_SEARCHED_BYTES = 1 << 26
_ZIP = b"PK\3\4"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WORD = "WordDocument".encode("utf-16-le")


class Package:
    """The parts of one document, by name."""

    def __init__(self, archive: zipfile.ZipFile, name: str, size: int) -> None:
        self.name = name
        self._archive = archive
        self._size = size
        self._expanded = 0

    @property
    def parts(self) -> frozenset[str]:
        """The names of all parts."""
        return frozenset(self._archive.namelist())

    def read(self, part: str, named_by: str = "") -> bytes:
        """Return a part; raises `CorpusError` where it is missing, encrypted, damaged or too large.

        `named_by` is the part that refers to it.
        """
        if part not in self.parts:
            by = f", which {named_by} names" if named_by else ""
            raise CorpusError(f"{title(self.name)} lacks the part {part!r}{by}; get it anew")
        size = self._archive.getinfo(part).file_size
        if size > LARGEST_PART:
            raise CorpusError(
                f"the part {part!r} of {title(self.name)} is larger than {LARGEST_PART >> 20} MiB, and a part is held "
                "in memory; save it as several documents"
            )
        self._expanded += size
        check_ratio(self._size, self._expanded, self.name)
        return b"".join(read_member(self._archive, part, f"{self.name}/{part}"))

    def read_xml(self, part: str, named_by: str = "") -> _Element:
        """Return the root of a part in XML; raises `CorpusError` where it is none."""
        from lxml import etree

        try:
            return etree.fromstring(self.read(part, named_by), make_xml_parser())
        except etree.XMLSyntaxError as error:
            raise CorpusError(
                f"the part {part!r} of {title(self.name)} is no XML: {' '.join(str(error.msg).split())}; get it anew"
            ) from error


@contextmanager
def open_package(source: Source, sources: Sources, kind: str) -> Iterator[Package]:
    """Open a document that is a ZIP archive; raises `CorpusError`, which says what it is instead, where it is none.

    `kind` is what it should be, as messages name it.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
        for chunk in sources.read(source):
            file.write(chunk)
        size = file.tell()
        file.seek(0)
        if refusal := _find_refusal(file, kind):
            raise CorpusError(f"{title(source.name)} {refusal}")
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
            raise CorpusError(
                f"{title(source.name)} is cut short or damaged ({' '.join(str(error).split())}); get it anew"
            ) from error
        with archive:
            yield Package(archive, source.name, size)


def _find_refusal(file: IO[bytes], kind: str) -> str | None:
    """Return what is wrong with a file that is no ZIP archive, and what to do; None for one."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(_ZIP):
        return None
    if not head:
        return f"is empty, not {kind}; get it anew"
    if head.startswith(_OLE):
        return _describe_ole(file.read(_SEARCHED_BYTES))
    if head.startswith(b"{\\rtf"):
        return f"is rich text (RTF), not {kind}; open it in a word processor, and save it as .docx"
    return f"is {describe_binary(head) or 'a text'}, not {kind}; give a file of that kind, or rename it to what it is"


def _describe_ole(data: bytes) -> str:
    if _ENCRYPTED in data:
        return "is protected by a password; open it in a word processor, and save it without one"
    if _WORD in data:
        return "is an old Word document (.doc); open it in a word processor, and save it as .docx"
    return "is an old office document; open it in what wrote it, and save it as .docx"


def resolve_reference(base: str, reference: str) -> str:
    """Return the name of the part that a part refers to by a relative address.

    >>> resolve_reference("OEBPS/content.opf", "../text/one%20two.xhtml#start")
    'text/one two.xhtml'
    """
    path = unquote(urlsplit(reference).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), path)).lstrip("/")
