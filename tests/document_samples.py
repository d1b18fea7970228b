"""Documents to test on, and reading them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import docx
import pytest

from textforge.errors import CorpusError

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
CHAPTER = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'


def text_of(corpus) -> str:
    return "".join(corpus.read())


def error_of(corpus) -> str:
    with pytest.raises(CorpusError) as caught:
        text_of(corpus)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_zip(path: Path, parts: Mapping[str, str | bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return str(path)


def make_opf(items: str, spine: str) -> str:
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )


def make_book(chapters: Mapping[str, str], **more: str | bytes) -> dict[str, str | bytes]:
    """Return the parts of an e-book with these chapters, by the name of their files."""
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": make_opf(items, spine),
    }
    return {**parts, **{f"OEBPS/{name}": text for name, text in chapters.items()}, **more}


def make_docx(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    return save(document)


def save(document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def change_part(data: bytes, part: str, change) -> bytes:
    """Return a container with one part changed; None leaves it out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            changed = change(old.read(name)) if name == part else old.read(name)
            if changed is not None:
                new.writestr(name, changed)
    return buffer.getvalue()
