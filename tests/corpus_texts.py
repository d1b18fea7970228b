"""Readings of a corpus, as tests look at them."""

from __future__ import annotations

import pytest

from textforge.corpora.base import END_OF_TEXT
from textforge.errors import CorpusError


def documents(corpus):
    *found, rest = "".join(corpus.read()).split(END_OF_TEXT)
    assert rest == ""
    return found


def notes_of(corpus):
    documents(corpus)
    return list(corpus.notes())


def error_of(corpus, kind=CorpusError):
    with pytest.raises(kind) as caught:
        documents(corpus)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message
