"""The structure of an e-book: its chapters, in the order of reading, by EPUB 2 and 3.

Source: EPUB 3.3, W3C Recommendation, and Open Packaging Format 2.0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textforge.corpora.findings import Findings
from textforge.corpora.paths import title
from textforge.errors import CorpusError
from textforge_documents._package import Package, resolve_reference

if TYPE_CHECKING:
    from lxml.etree import _Element

CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PACKAGE_TYPE = "application/oebps-package+xml"
_PAGE_TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_OBFUSCATED = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""The methods that keep fonts from being copied, and nothing from being read."""


def find_chapters(package: Package, findings: Findings) -> list[str]:
    """Return the names of an e-book's chapters, in the order of its spine.

    What is left out is told in the findings. Raises `CorpusError` where the book lacks what says that order, and where
    its chapters are encrypted.
    """
    opf = _find_opf(package)
    root = package.read_xml(opf, CONTAINER)
    manifest = {item.get("id"): item for item in _find_all(root, "manifest", "item")}
    chapters: list[str] = []
    for reference in _find_all(root, "spine", "itemref"):
        item = manifest.get(reference.get("idref"))
        if item is None:
            raise CorpusError(
                f"the part {opf!r} of {title(package.name)} has no item {reference.get('idref')!r}, which its spine "
                "names; get it anew"
            )
        part = resolve_reference(opf, item.get("href", ""))
        reason = _find_reason(reference, item)
        if reason:
            findings.add_among(f"left out, as {reason}", f"{package.name}/{part}")
        else:
            chapters.append(part)
    if not chapters:
        raise CorpusError(f"{title(package.name)} has no chapters: its spine, in {opf!r}, names none; get it anew")
    _refuse_encrypted(package, chapters)
    return chapters


def _find_reason(reference: _Element, item: _Element) -> str | None:
    """Return why what the spine names is left out; None for a chapter."""
    if reference.get("linear", "yes").strip().lower() == "no":
        return 'it is beside the book (linear="no")'
    if "nav" in item.get("properties", "").split():
        return "it is the table of contents"
    media_type = item.get("media-type", "").strip().lower()
    return None if media_type in _PAGE_TYPES else f"it is no page but {media_type or 'of no type'}"


def _find_opf(package: Package) -> str:
    if CONTAINER not in package.parts:
        raise CorpusError(f"{title(package.name)} is a ZIP archive, but no e-book: it lacks {CONTAINER}; give an EPUB")
    files = list(_find_all(package.read_xml(CONTAINER), "rootfiles", "rootfile"))
    opf = next((file for file in files if file.get("media-type") == _PACKAGE_TYPE), next(iter(files), None))
    if opf is None or not opf.get("full-path"):
        raise CorpusError(f"{title(package.name)} has no rootfile in {CONTAINER}; get it anew")
    return resolve_reference("", opf.get("full-path"))


def _find_all(root: _Element, outer: str, inner: str) -> Iterator[_Element]:
    for element in root.iter(f"{{*}}{outer}"):
        yield from element.iterchildren(f"{{*}}{inner}")


def _refuse_encrypted(package: Package, chapters: list[str]) -> None:
    """Raise `CorpusError` where a chapter is encrypted: fonts may be obfuscated in any book."""
    if _ENCRYPTION not in package.parts:
        return
    for data in package.read_xml(_ENCRYPTION).iter("{*}EncryptedData"):
        method = next(data.iter("{*}EncryptionMethod"), None)
        if method is not None and method.get("Algorithm") in _OBFUSCATED:
            continue
        for reference in data.iter("{*}CipherReference"):
            part = resolve_reference("", reference.get("URI", ""))
            if part in chapters:
                raise CorpusError(
                    f"{title(package.name)} is protected against copying (DRM): its chapter {part!r} is encrypted; "
                    "give a book without such a protection"
                )
