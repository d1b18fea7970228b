"""The corpus ``python-docs``: a text that every CPython brings with it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.errors import CorpusError


class PythonDocsCorpus(Corpus):
    """The topics of Python's language reference, about 450,000 characters; each topic is a document.

    They differ a little from one version of Python to the next.

    >>> "".join(PythonDocsCorpus().read()).count("for")  > 100
    True
    """

    name = "python-docs"

    def read(self) -> Iterator[str]:
        try:
            topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
        except (ImportError, AttributeError):
            raise CorpusError("this Python lacks pydoc_data.topics; use a full CPython, or give a text file") from None
        for _, text in sorted(topics.items()):
            yield text
            yield END_OF_TEXT
