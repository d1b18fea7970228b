"""The errors of text files that can't be decoded, each with the spec of the corpus to write instead."""

from __future__ import annotations

from textforge.components import values
from textforge.corpora.base import Corpus
from textforge.corpora.binary import find_wide_encoding
from textforge.corpora.decoding import AUTO
from textforge.corpora.detecting import UndecidedError
from textforge.corpora.paths import find_suffix, title
from textforge.corpora.sources import Source
from textforge.errors import CorpusError
from textforge.names import READERS


def refuse_binary(kind: str, source: Source) -> CorpusError:
    """Return the error for a file that is no text."""
    if kind.startswith("a PDF"):
        advice = "save its text first, with pdftotext, say"
    elif kind.startswith("an SQLite"):
        advice = "read what a query gives of it, by the corpus sqlite"
    elif found := READERS.get(find_suffix(source.name)):
        advice = f"read it by {found[0]}:…, which the plugin {found[1]} brings"
    elif source.path == source.name:
        advice = "give text files only"
    else:
        advice = "name the text files by a pattern, such as books/**/*.txt"
    return CorpusError(f"{title(source.name)} is {kind}, not text; {advice}")


def refuse_undecided(corpus: Corpus, error: UndecidedError, source: Source) -> CorpusError:
    """Return the error for a file whose encoding can't be told; the advice is for that file alone."""
    file = source.name
    if error.binary:
        return refuse_binary(error.reason, source)
    if not error.damaged:
        return CorpusError(
            f"{title(file)} {error.reason}; {_by_itself(corpus, file, error.encodings)}, or convert it to UTF-8"
        )
    replaced = write_spec(corpus, file, errors="replace")
    other = f"; if it is another encoding, {_by_itself(corpus, file, error.encodings)}" if error.encodings else ""
    return CorpusError(f"{title(file)} {error.reason}; mend it, or have such bytes replaced: {replaced}{other}")


def _by_itself(corpus: Corpus, file: str, encodings: tuple[str, ...]) -> str:
    if not encodings:
        return f"read it by itself in the encoding it is in, as {write_spec(corpus, file, encoding='cp1250')}, say"
    others = f" (or {' or '.join(encodings[1:])})" if encodings[1:] else ""
    return f"read it by itself, perhaps as {write_spec(corpus, file, encoding=encodings[0])}{others}"


def refuse_encoding(corpus: Corpus, file: str, at: str, head: bytes) -> CorpusError:
    """Return the error for a file that is not in the encoding that was given."""
    wide, encoding = find_wide_encoding(head), corpus.option_values()["encoding"]
    if wide and wide == encoding:
        advice = "name the encoding it is in"
    else:
        advice = f"try {write_spec(corpus, file, encoding=wide or AUTO)}"
    return CorpusError(f"{title(file)} is not in {encoding}: {at}; {advice}")


def write_spec(corpus: Corpus, file: str, **changes: str) -> str:
    """Return how a user writes a corpus of one file, otherwise with the options of this one."""
    spec = corpus.replace(paths=(file,), **changes).spec
    bare = values.write(file, str)
    return spec.replace(corpus.options()["paths"].write((file,)), bare, 1) if bare == file else spec


def write_plain_spec(file: str) -> str:
    """Return how a user writes the corpus of one file that is read as it is."""
    bare = values.write(file, str)
    return f"files:{bare}" if bare == file else f"files:paths={values.write((file,), tuple[str, ...])}"
