"""From what a user wrote for a corpus to corpora."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textforge.components import values
from textforge.components.spec import NAME
from textforge.components.values import quote
from textforge.corpora.base import Corpus
from textforge.corpora.paths import (
    STANDARD_INPUT,
    files_of,
    is_pattern,
    is_text,
    make_missing_error,
    split_member,
    status_of,
)
from textforge.corpora.suffixes import find_reader
from textforge.errors import Advice, CorpusError, UnknownComponent, list_names

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugins

CorpusArgument = str | os.PathLike[str] | Corpus
"""A file, folder or pattern, ``-``, a corpus's spec, or a corpus."""
_ADDRESSES = ("https://", "http://")
_AS_TEXT = Advice(
    "text", "text=… to train, or as textforge.corpora.text.TextCorpus(…)", "standard input, with - in its place"
)


def resolve_corpora(arguments: CorpusArgument | Sequence[CorpusArgument], plugins: Plugins) -> list[Corpus]:
    """Return the corpora that arguments stand for; paths of a kind that follow one another become one corpus.

    A file is read by the corpus that claims its suffix (`Corpus.suffixes`), such as ``jsonl``, any other as plain text.
    ``name:`` and what follows is a spec wherever such a corpus is installed. Otherwise what exists is a path.
    A `Path` is never a spec. Raises `CorpusError` for what is neither, or could be both.

    >>> from textforge.plugins.registry import Plugins
    >>> resolve_corpora(["python-docs", "-"], Plugins())
    [PythonDocsCorpus(), FilesCorpus(paths=('-',), ...)]
    """
    if isinstance(arguments, (str, os.PathLike, Corpus)):
        arguments = [arguments]
    return list(_join_paths((_resolve(argument, plugins) for argument in arguments), plugins))


def _join_paths(found: Iterator[Corpus | str], plugins: Plugins) -> Iterator[Corpus]:
    for kind, group in itertools.groupby(found, lambda each: _kind_of(each, plugins)):
        if kind is None:
            yield from (corpus for corpus in group if isinstance(corpus, Corpus))
        else:
            yield kind(paths=tuple(map(str, group)))  # type: ignore[call-arg]  # what claims a suffix has paths


def _kind_of(found: Corpus | str, plugins: Plugins) -> type[Corpus] | None:
    """Return the corpus that reads a path, by its suffix; None for what is a corpus already."""
    return None if isinstance(found, Corpus) else find_reader(found, plugins)


def _resolve(argument: CorpusArgument, plugins: Plugins) -> Corpus | str:
    """Return a corpus, or a path."""
    if isinstance(argument, Corpus):
        return argument
    if isinstance(argument, os.PathLike):
        return _path(os.fsdecode(argument))
    if not isinstance(argument, str):
        raise CorpusError(f"a corpus is expected, as a path, a spec or an object, got {argument!r}")
    return argument if argument in (STANDARD_INPUT, "") else _read(argument, plugins)


def _path(path: str) -> str:
    """Return a path that is one for certain, once files are found there."""
    path = f"./{path}" if path == STANDARD_INPUT else path
    files_of(path)
    return path


def _read(text: str, plugins: Plugins) -> Corpus | str:
    reference, colon, _ = text.partition(":")
    name = reference.partition("@")[0]  # the distribution that is meant may follow
    installed = bool(NAME.fullmatch(name)) and name in plugins.names("corpus")
    if installed and colon:
        return _find_corpus(text, plugins)
    exists = status_of(text) is not None or split_member(text) is not None
    if installed and exists:
        raise CorpusError(f"{text!r} is both a path here and a corpus's name; write ./{text} or {text}:")
    if exists:
        return text
    if text.lower().startswith(_ADDRESSES):
        written = text if values.write(text, str) == text else f"url={values.write(text, str)}"
        raise CorpusError(f"{quote(text)} is an address, not a path; have it downloaded by url:{written}")
    if is_text(text):
        raise CorpusError(
            f"a corpus is a path or a spec, and {quote(text)}, {len(text):,} characters, is a text; give it as ",
            _AS_TEXT,
        )
    if is_pattern(text):
        return _path(text)
    if not NAME.fullmatch(name):
        raise CorpusError(
            f"{make_missing_error(text)} (read as a path; corpora: {list_names(plugins.names('corpus'))})"
        )
    return _find_corpus(text, plugins)


def _find_corpus(text: str, plugins: Plugins) -> Corpus:
    try:
        corpus: Corpus = plugins.corpus(text)
    except UnknownComponent as unknown:
        raise CorpusError(f"{make_missing_error(text)}; and as a corpus: {unknown}") from None
    return corpus
