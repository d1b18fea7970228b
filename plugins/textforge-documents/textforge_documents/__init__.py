"""The corpora ``docx``, ``epub`` and ``html``: Word documents, e-books and web pages, as text.

This module is light: lxml and python-docx are imported only when a corpus is read.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge_documents.docx_corpus import DocxCorpus
    from textforge_documents.epub_corpus import EpubCorpus
    from textforge_documents.html_corpus import HtmlCorpus

__all__ = ["DocxCorpus", "EpubCorpus", "HtmlCorpus"]
_MODULES = {"DocxCorpus": "docx_corpus", "EpubCorpus": "epub_corpus", "HtmlCorpus": "html_corpus"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'textforge_documents' has no attribute {name!r}")
    return getattr(importlib.import_module(f"textforge_documents.{_MODULES[name]}"), name)
