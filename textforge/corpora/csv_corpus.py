"""The corpus ``csv``: a column of a table in CSV or TSV, each row a document."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence

from textforge.components.component import option
from textforge.components.values import quote
from textforge.corpora.delimiters import DELIMITERS, find_delimiter, find_text_columns, read_rows
from textforge.corpora.paths import title
from textforge.corpora.records import LONGEST_RECORD, RecordReading, RecordsCorpus, list_fields, read_lines
from textforge.corpora.refusals import write_plain_spec, write_spec
from textforge.corpora.text_files import FileText
from textforge.errors import CorpusError, OptionError, nearest

_USUAL = "text"
_SAMPLE_LINES = 32
_Rows = Iterator[tuple[int, list[str]]]


class CsvCorpus(RecordsCorpus):
    r"""A column of a table in CSV or TSV, each row a document, followed by `END_OF_TEXT`, the only one too.

    The first row has the columns' names, unless `column` is a number: then every row is read. Unless `column` is given,
    it is ``text`` where there is one, else the only column that has more than numbers; `notes` tells which. A row of
    another length than the first is an error unless `bad_records` is ``skip``. `TextFilesCorpus` says how files are
    read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "reviews.csv"
    >>> _ = file.write_text('stars;body\n5;"Good, and\nlong."\n1;Bad.\n')
    >>> "".join(CsvCorpus([str(file)], column="body").read())
    'Good, and\nlong.\ufdd0Bad.\ufdd0'
    """

    name = "csv"
    suffixes = (".csv", ".tsv")
    column: str | None = option(
        default=None,
        help="Name of the column that has the text, or its number, from 1, where the first row has no names. "
        "none: text, or the only one that has texts.",
    )
    delimiter: str | None = option(
        default=None, help="The character between columns, such as ; or tab. none: found by each file's first rows."
    )
    quotes: bool = option(
        default=True, help='Read "…" as one value; false: quotation marks are text, as in many TSV files.'
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        delimiter = "," if self.delimiter is None else DELIMITERS.get(self.delimiter, self.delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise OptionError(f"{self.title()}delimiter must be one character or tab, got {quote(self.delimiter)}")
        if self.column is not None and self._number == 0:
            raise OptionError(f"{self.title()}column is counted from 1, got {self.column}")

    @property
    def _number(self) -> int | None:
        return int(self.column) if self.column and self.column.isascii() and self.column.isdigit() else None

    def read_records(self, file: FileText, reading: RecordReading) -> Iterator[tuple[int, str]]:
        _allow_long_values()
        lines = read_lines(file)
        sample = list(itertools.islice(lines, _SAMPLE_LINES))
        delimiter = self._find_delimiter(sample, file.name, reading)
        rows = self._parse(itertools.chain(sample, lines), delimiter, file.name, reading)
        first = next(rows, None)
        if first is None:
            return
        width = len(first[1])
        place = self._find_place(first[1], sample, delimiter, file.name, reading)
        for line, row in rows if self._number is None else itertools.chain([first], rows):
            if len(row) == width:
                yield line, row[place]
            else:
                reading.refuse(file.name, line, f"the row has {len(row)} columns, but the first has {width}")

    def _find_delimiter(self, sample: Sequence[str], name: str, reading: RecordReading) -> str:
        if self.delimiter is not None:
            return DELIMITERS.get(self.delimiter, self.delimiter)
        found = find_delimiter(sample, quotes=self.quotes)
        if found not in (",", _usual_delimiter(name)):
            word = next(word for word, character in DELIMITERS.items() if character == found)
            reading.findings.add(f"the columns seem to be parted by {word}s; delimiter=… says otherwise")
        return found

    def _parse(self, lines: Iterable[str], delimiter: str, name: str, reading: RecordReading) -> _Rows:
        """Yield the rows that are not blank, each with the line it begins on."""
        reader = read_rows(lines, delimiter, quotes=self.quotes, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reading.refuse(name, line, _explain(error))
                continue
            if len(row) > 1 or (row and row[0].strip()):
                yield line, row

    def _find_place(
        self, first: list[str], sample: Sequence[str], delimiter: str, name: str, reading: RecordReading
    ) -> int:
        """Return the column's place in the rows of a file, by its first row."""
        if self._number is not None:
            if self._number > len(first):
                raise CorpusError(f"{title(name)} has {len(first)} columns, but column is {self._number}")
            return self._number - 1
        if reading.field is None:
            texts = find_text_columns(sample, delimiter, quotes=self.quotes)
            reading.field = self._choose(first, texts, name, reading) if self.column is None else self.column
        if first.count(reading.field) != 1:
            raise self._refuse_column(reading.field, first, name)
        return first.index(reading.field)

    def _choose(self, columns: list[str], texts: list[str], name: str, reading: RecordReading) -> str:
        if _USUAL not in columns and len(texts) != 1:
            raise CorpusError(
                f"{title(name)} has no column 'text', and several that may be it: {list_fields(texts or columns)}; "
                f"say which to read, as {write_spec(self, name, column=(texts or columns)[0])}, or read it as plain "
                f"text, as {write_plain_spec(name)}"
            )
        chosen = _USUAL if _USUAL in columns else texts[0]
        reading.findings.add(
            f"{title(name)} was read as a table, by the column {quote(chosen)} of {list_fields(columns)}; another is "
            f"read by {write_spec(self, name, column='…')}, and plain text by {write_plain_spec(name)}"
        )
        return chosen

    def _refuse_column(self, column: str, columns: list[str], name: str) -> CorpusError:
        if column in columns:
            return CorpusError(f"{title(name)} has several columns {quote(column)}; rename all but one")
        hint = (
            nearest(column, columns)
            or f"; where the first row is no header, write {write_spec(self, name, column='1')}"
        )
        return CorpusError(f"{title(name)} has no column {quote(column)}; its columns are {list_fields(columns)}{hint}")


def _allow_long_values() -> None:
    """Raise the process's own limit, 128 KiB by default, which a chapter exceeds."""
    csv.field_size_limit(max(LONGEST_RECORD, csv.field_size_limit()))


def _usual_delimiter(name: str) -> str:
    return "\t" if ".tsv" in name.lower() else ","


def _explain(error: csv.Error) -> str:
    reason = str(error)
    if reason == "unexpected end of data":
        return "a quoted value never ends (with quotes=false, quotation marks are text)"
    if reason.startswith("field larger"):
        return f"a value is longer than {LONGEST_RECORD:,} characters; a quotation mark may lack its other"
    return f"it is no CSV: {reason} (with quotes=false, quotation marks are text)"
