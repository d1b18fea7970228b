"""Corpora: where text comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.corpora.base import Corpus


@hookimpl
def register_corpora(register: Callable[[type[Corpus]], None]) -> None:
    """Register the corpora that come with textforge."""
    from textforge.corpora.files import FilesCorpus
    from textforge.corpora.nietzsche import NietzscheCorpus
    from textforge.corpora.python_docs import PythonDocsCorpus
    from textforge.corpora.text import TextCorpus

    register(FilesCorpus)
    register(NietzscheCorpus)
    register(PythonDocsCorpus)
    register(TextCorpus)
