"""The corpora of records: files in which each record has a text, which is a document."""

from __future__ import annotations

import itertools
import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator

import attrs

from textforge.components.component import option
from textforge.components.values import quote
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.findings import Findings
from textforge.corpora.paths import title
from textforge.corpora.refusals import write_spec
from textforge.corpora.stages import change_text
from textforge.corpora.text_files import FileText, TextFilesCorpus
from textforge.errors import CorpusError

LONGEST_RECORD = 1 << 26
"""Characters of the longest line or field that is read: a record is held in memory as a whole."""
BAD_RECORDS = ("error", "skip")
BAD_RECORDS_HELP = "What becomes of records that can't be read: an error, or they are left out and counted."
_BATCH = 1 << 16
_FIELDS_SHOWN = 12
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = {"replace": "\ufffd", "ignore": ""}


@attrs.define(eq=False)
class RecordReading:
    """One reading of records: what was left out, and the field that was chosen."""

    findings: Findings
    remedy: str
    """The spec by which records that can't be read are left out; empty where they are, instead of raising
    `CorpusError`."""
    field: str | None = None
    """The field or column with the text; None until it is chosen."""
    unit: str = "line"
    """The word for the numbers that records are found by: ``line``, or ``row`` where files have no lines."""
    _bad: int = 0
    _first: str = ""
    _nulls: int = 0

    def refuse(self, name: str, line: int, reason: str) -> None:
        """Count a record that can't be read, on this line or row; raises `CorpusError` unless such are left out."""
        place = f"{title(name)}, {self.unit} {line:,}: {reason}"
        if self.remedy:
            advice = "" if place.endswith("?") else f"; mend it, or have such records left out by {self.remedy}"
            raise CorpusError(f"{place}{advice}")
        self._bad += 1
        self._first = self._first or place

    def leave_out_null(self) -> None:
        """Count a record without a text."""
        self._nulls += 1

    def finish(self, empty: bool) -> None:
        """Add to the findings how much was left out; raises `CorpusError` where nothing else was there."""
        if self._bad and empty:
            raise CorpusError(f"no record can be read; the first of {count_records(self._bad)} is {self._first}")
        if self._bad:
            self.findings.add(f"left out {count_records(self._bad)} that can't be read; the first is {self._first}")
        if self._nulls:
            self.findings.add(f"left out {count_records(self._nulls)} whose text is null")


class RecordsCorpus(TextFilesCorpus):
    """A corpus of files that have records, each with a text: a document that `END_OF_TEXT` follows, the only one too.

    A text that is empty or blank is none. Half a surrogate pair, which JSON can write, is no character: `errors` says
    what becomes of it.
    """

    bad_records: str = option(default="error", choices=BAD_RECORDS, help=BAD_RECORDS_HELP)

    def read(self) -> Iterator[str]:
        reading = RecordReading(self.begin(), self._remedy)
        empty = True
        for text in batch(self._read_documents(reading)):
            empty = False
            yield text
        reading.finish(empty)

    @property
    def _remedy(self) -> str:
        if self.bad_records == "skip":
            return ""
        several = len(self.paths) > 1
        return self.replace(bad_records="skip").spec if several else write_spec(self, self.paths[0], bad_records="skip")

    def _read_documents(self, reading: RecordReading) -> Iterator[str]:
        for file in self.read_texts(reading.findings, stages=tuple):
            for line, text in self.read_records(file, reading):
                if document := self._finish_text(text, file.name, line, reading):
                    yield document

    def _finish_text(self, text: str, name: str, line: int, reading: RecordReading) -> str:
        found = _SURROGATE.search(text)
        if found and self.errors == "strict":
            reading.refuse(name, line, f"its text has half a surrogate pair, \\u{ord(found[0]):x}")
            return ""
        text = _SURROGATE.sub(_MARKS[self.errors], text) if found else text
        text = change_text(text, self.normalize, self.lowercase)
        return "" if text.isspace() else text

    @abstractmethod
    def read_records(self, file: FileText, reading: RecordReading) -> Iterator[tuple[int, str]]:
        """Yield the texts of a file's records, each with the line it begins on, from 1."""


def batch(documents: Iterable[str]) -> Iterator[str]:
    """Yield documents with `END_OF_TEXT` after each, many small ones together.

    >>> [text.count(END_OF_TEXT) for text in batch(["a"] * 3)]
    [3]
    """
    parts: list[str] = []
    size = 0
    for document in documents:
        parts += (document, END_OF_TEXT)
        size += len(document) + 1
        if size >= _BATCH:
            yield "".join(parts)
            parts, size = [], 0
    if parts:
        yield "".join(parts)


def count_records(number: int) -> str:
    """Return a number of records in words."""
    return "1 record" if number == 1 else f"{number:,} records"


def list_fields(fields: Collection[str]) -> str:
    """Return the names of fields as a person reads them, not too many."""
    names = [quote(field) for field in itertools.islice(fields, _FIELDS_SHOWN)]
    more = len(fields) - len(names)
    return f"{', '.join(names) or 'none'}{f' and {more:,} more' if more else ''}"


def read_lines(file: FileText) -> Iterator[str]:
    r"""Yield a file's lines, each with its ``\n``, the last one perhaps without.

    Raises `CorpusError` for one that is longer than `LONGEST_RECORD`.
    """
    held: list[str] = []
    size = number = 0
    for chunk in file.chunks:
        *whole, rest = chunk.split("\n")
        for line in whole:
            yield f"{''.join(held)}{line}\n"
            held, size = [], 0
        number += len(whole)
        held.append(rest)
        size += len(rest)
        if size > LONGEST_RECORD:
            raise CorpusError(
                f"{title(file.name)}, line {number + 1:,}: it is longer than {LONGEST_RECORD:,} characters, and a "
                "record is held in memory; give a file with a record a line"
            )
    if last := "".join(held):
        yield last
