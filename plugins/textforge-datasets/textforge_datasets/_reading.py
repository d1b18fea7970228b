"""One reading of the texts in a column of Arrow's record batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from textforge.components.values import quote
from textforge.corpora.paths import title
from textforge.corpora.records import RecordReading, list_fields
from textforge.corpora.stages import change_text
from textforge.errors import CorpusError, nearest
from textforge_datasets._columns import describe_type, find_path, find_type, is_null, is_text, list_columns, take_column

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema

_USUAL = "text"
_PIECE_BYTES = 1 << 20
"""Bytes of texts that are turned into Python's at once, or one text."""


@attrs.define(eq=False)
class ColumnReading:
    """One reading of a column's texts, of one table or several that follow one another."""

    records: RecordReading
    normalize: str
    lowercase: bool
    _path: tuple[str, ...] = ()

    def settle(self, schema: Schema, name: str, write: Callable[[str], str]) -> tuple[str, ...]:
        """Find the column in a table's schema, and return the names on the way; choose one where none was named before.

        `write` returns the spec by which another column is read. Raises `CorpusError` where the column is not there,
        is there several times, or has no texts.
        """
        columns = list_columns(schema)
        texts = [column for column, type_ in columns.items() if is_text(type_)]
        if self.records.field is None:
            self.records.field = self._choose(columns, schema, name, write)
        column = self.records.field
        self._path = find_path(schema, column)
        if not self._path:
            raise CorpusError(
                f"{title(name)} has no column {quote(column)}; its columns are {list_fields(columns)}"
                f"{nearest(column, columns)}"
            )
        if schema.names.count(self._path[0]) > 1:
            raise CorpusError(f"{title(name)} has several columns {quote(self._path[0])}; rename all but one")
        type_ = find_type(schema, self._path)
        if not is_text(type_) and not is_null(type_):
            raise CorpusError(
                f"{title(name)}: the column {quote(column)} is {describe_type(type_)}, not a text; its columns with "
                f"texts are {list_fields(texts)}{_propose(texts, write)}"
            )
        return self._path

    def _choose(self, columns: dict[str, Any], schema: Schema, name: str, write: Callable[[str], str]) -> str:
        """Return the column ``text`` where there is one, else the only one outside of structs that has texts."""
        texts = [field.name for field in schema if is_text(field.type)]
        if _USUAL not in schema.names and len(texts) != 1:
            has = (
                f"several that have texts: {list_fields(texts)}"
                if texts
                else f"none that has texts: {list_fields(columns)}"
            )
            raise CorpusError(
                f"{title(name)} has no column 'text', and {has}; say which to read, as {write((texts or ['…'])[0])}"
            )
        chosen = _USUAL if _USUAL in schema.names else texts[0]
        if len(columns) == 1:
            self.records.findings.add(f"{title(name)} was read by its only column, {quote(chosen)}")
        else:
            self.records.findings.add(
                f"{title(name)} was read by the column {quote(chosen)} of {list_fields(columns)}; another is read by "
                f"{write('…')}"
            )
        return chosen

    def read(self, batch: RecordBatch, name: str, first: int) -> Iterator[str]:
        """Yield the documents of a batch whose rows are numbered from `first`, changed as the options ask for it.

        A null is counted; a text that is empty or blank is none.
        """
        array = take_column(batch, self._path)
        step = max(1, len(array) * _PIECE_BYTES // max(1, array.nbytes))  # a batch may be far larger than its pieces
        for start in range(0, len(array), step):
            for text in self._to_texts(array.slice(start, step), name, first + start):
                if text is None:
                    self.records.leave_out_null()
                    continue
                document = change_text(text, self.normalize, self.lowercase)
                if document and not document.isspace():
                    yield document

    def _to_texts(self, array: Any, name: str, first: int) -> Iterator[str | None]:
        try:
            yield from array.to_pylist()
        except UnicodeDecodeError:  # Arrow doesn't look at what it reads
            for place, scalar in enumerate(array):
                try:
                    text = scalar.as_py()
                except UnicodeDecodeError as error:
                    reason = f"its text is not in utf-8: byte {error.start} is 0x{error.object[error.start]:02x}"
                    self.records.refuse(name, first + place, reason)
                else:
                    yield text


def _propose(texts: list[str], write: Callable[[str], str]) -> str:
    return f"; one is read by {write(texts[0])}" if texts else ""
