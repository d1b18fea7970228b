"""The corpus ``docx``: the text of Word documents."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import textforge
from textforge.corpora.findings import Findings
from textforge.corpora.paths import title
from textforge.corpora.sources import Source, Sources
from textforge.errors import CorpusError
from textforge_documents._documents import DocumentsCorpus
from textforge_documents._libraries import DOCX
from textforge_documents._package import Package, open_package, resolve_reference
from textforge_documents._word import Block, BodyReader, join_blocks

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element

_CONTENT_TYPES = "[Content_Types].xml"
_READ = (".xml", ".rels")
"""The suffixes of parts that python-docx is given; others, pictures and fonts, are left empty."""
_WITH_MACROS = "application/vnd.ms-word.document.macroEnabled.main+xml"
_STRICT = b"http://purl.oclc.org/ooxml"
_NOTES = ("footnotes", "endnotes")


class DocxCorpus(DocumentsCorpus):
    r"""Word documents (``.docx``, ``.docm``), each a document: headings, paragraphs, lists, tables and text boxes.

    A blank line parts paragraphs, a line end the items of a list, a tab the cells of a row (or a blank line, where one
    has several paragraphs). What was inserted while changes were tracked is read, and what was deleted is not. Left
    out are the table of contents, hidden text, comments, headers, footers and pictures, and notes below the text
    unless `footnotes` is set; `notes` tells how many. Documents are read by python-docx. A part of one is no larger
    than 64 MiB. `DocumentsCorpus` says how files are found.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import docx
    >>> document = docx.Document()
    >>> _ = document.add_heading("One"), document.add_paragraph("It is so.")
    >>> file = str(Path(tempfile.mkdtemp()) / "novel.docx")
    >>> document.save(file)
    >>> "".join(DocxCorpus([file]).read())
    'One\n\nIt is so.'
    """

    name = "docx"
    suffixes = (".docx", ".docm")
    title_of_kind = "a Word document"
    footnotes: bool = textforge.option(default=False, help="Put footnotes and endnotes behind the text.")

    def read_document(self, source: Source, sources: Sources, findings: Findings) -> Iterator[str]:
        DOCX.require(self)
        with open_package(source, sources, "a Word document (.docx)") as package:
            body, notes = _read_elements(package)
        reader = BodyReader()
        noted = (block for note in notes for block in reader.read(note)) if self.footnotes else iter(())
        blocks: Iterator[Block] = itertools.chain(reader.read(body), noted)
        yield from join_blocks(blocks)
        if notes and not self.footnotes:
            findings.add(
                f"left out {len(notes):,} footnotes and endnotes of {source.name!r}; footnotes=true puts them behind "
                "the text"
            )
        for found, what in ((reader.contents, "its table of contents"), (reader.hidden, "hidden text")):
            if found:
                findings.add_among(f"left out {what}", source.name)


def _read_elements(package: Package) -> tuple[_Element, list[_Element]]:
    """Return the body of a document and its notes, as python-docx reads them.

    Raises `CorpusError` for another office document, and for one that is damaged.
    """
    import docx
    from lxml import etree

    if _CONTENT_TYPES not in package.parts:
        raise CorpusError(
            f"{title(package.name)} is a ZIP archive, but no Word document: it lacks {_CONTENT_TYPES}; give a .docx"
        )
    copy = _copy_texts(package)
    try:
        document: Document = docx.Document(copy)
        body, notes = document.element.body, list(_find_notes(document))
    except MemoryError:
        raise
    except Exception as error:  # it has none of its own for what is damaged: they come from wherever it fails
        raise _refuse(package, error) from error
    if any(next(element.iter(etree.Entity), None) is not None for element in (body, *notes)):
        raise CorpusError(
            f"{title(package.name)} has entities of its own, as no Word document has, and none is expanded; save it "
            "anew in a word processor"
        )
    return body, notes


def _refuse(package: Package, error: Exception) -> CorpusError:
    """Return the error for a package that python-docx can't read."""
    name, reason = title(package.name), " ".join(str(error.args[0] if error.args else error).split())
    if "_rels/.rels" in package.parts and _STRICT in package.read("_rels/.rels"):
        advice = "is in the strict form of Open XML; open it in a word processor, and save it as a plain .docx"
    elif "is not a Word file" in reason:
        advice = "is an office document, but no Word document; give one that a word processor saved as .docx"
    elif isinstance(error, KeyError):
        advice = f"lacks a part ({reason}); save it anew in a word processor"
    else:
        advice = f"is damaged, and python-docx can't read it ({reason}); get it anew"
    return CorpusError(f"{name} {advice}")


def _copy_texts(package: Package) -> io.BytesIO:
    """Return the package with its parts in XML alone: the others are empty, those that are missing too."""
    copy, missing = io.BytesIO(), _find_missing(package)
    with zipfile.ZipFile(copy, "w") as archive:
        for part in sorted(package.parts | missing):
            if part == _CONTENT_TYPES:
                archive.writestr(part, _adapt_types(package, missing))
            else:
                archive.writestr(part, package.read(part) if part.endswith(_READ) else b"")
    copy.seek(0)
    return copy


def _adapt_types(package: Package, missing: set[str]) -> bytes:
    """Return the types of parts, a document with macros being one like others, and what is missing of any type."""
    from docx.opc.constants import CONTENT_TYPE
    from lxml import etree

    types = package.read_xml(_CONTENT_TYPES)
    for each in types:
        if each.get("ContentType") == _WITH_MACROS:
            each.set("ContentType", CONTENT_TYPE.WML_DOCUMENT_MAIN)
    for part in sorted(missing):
        added = etree.SubElement(types, f"{{{etree.QName(types).namespace}}}Override")
        added.attrib.update({"PartName": f"/{part}", "ContentType": CONTENT_TYPE.XML})
    data: bytes = etree.tostring(types)
    return data


def _find_missing(package: Package) -> set[str]:
    """Return the names of pictures and the like that parts refer to, and the package lacks: Word reads such files."""
    missing: set[str] = set()
    for part in package.parts:
        if part.endswith(".rels"):
            base = part.replace("_rels/", "").removesuffix(".rels")
            internal = (each for each in package.read_xml(part) if each.get("TargetMode") != "External")
            missing |= {resolve_reference(base, each.get("Target", "")) for each in internal} - package.parts
    return {name for name in missing if not name.endswith(_READ)}


def _find_notes(document: Document) -> Iterator[_Element]:
    """Yield the elements of footnotes, then endnotes, without the lines that part them from the text."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import parse_xml

    related = {relation.reltype: relation for relation in document.part.rels.values() if not relation.is_external}
    for kind in _NOTES:
        relation = related.get(getattr(RELATIONSHIP_TYPE, kind.upper()))
        if relation is None:
            continue
        for note in parse_xml(relation.target_part.blob):
            if not any(name.endswith("}type") for name in note.attrib):
                yield note
