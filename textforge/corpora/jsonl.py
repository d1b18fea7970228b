"""The corpus ``jsonl``: a field of JSON Lines, each record a document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from textforge.components.component import option
from textforge.components.values import quote
from textforge.corpora.paths import title
from textforge.corpora.records import RecordReading, RecordsCorpus, list_fields, read_lines
from textforge.corpora.refusals import write_plain_spec, write_spec
from textforge.corpora.text_files import FileText
from textforge.errors import CorpusError, nearest

_USUAL = "text"
_ABSENT: Any = object()
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


class JsonlCorpus(RecordsCorpus):
    r"""A field of JSON Lines (an object a line), each record a document, followed by `END_OF_TEXT`, the only one too.

    Unless `field` is given, it is ``text`` where the first record has it, else the only field that is a text; `notes`
    tells which. A null is left out and counted, blank lines are nothing, and a record that lacks the field, or is no
    JSON, is an error unless `bad_records` is ``skip``. `TextFilesCorpus` says how files are read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "songs.jsonl"
    >>> _ = file.write_text('{"song": {"words": "La la."}}\n{"song": {"words": "Hm."}}\n')
    >>> "".join(JsonlCorpus([str(file)], field="song.words").read())
    'La la.\ufdd0Hm.\ufdd0'
    """

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    field: str | None = option(
        default=None,
        help="Name of the field that has the text; song.words is one within another. none: text, or the only text.",
    )

    def read_records(self, file: FileText, reading: RecordReading) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(read_lines(file), 1):
            if not line.isspace():
                try:
                    text = self._find_text(_parse(line), file.name, reading)
                except ValueError as error:
                    reading.refuse(file.name, number, str(error))
                    continue
                if text is None:
                    reading.leave_out_null()
                else:
                    yield number, text

    def _find_text(self, record: Mapping[str, Any], name: str, reading: RecordReading) -> str | None:
        """Return the text of a record, None for null; raises `ValueError` where it has none."""
        if reading.field is None:
            reading.field = self._choose(record, name, reading) if self.field is None else self.field
        text = _look_up(record, reading.field)
        if text is _ABSENT:
            hint = "" if "." in reading.field else nearest(reading.field, record)
            raise ValueError(
                f"the record has no field {quote(reading.field)}; its fields are {list_fields(record)}{hint}"
            )
        if text is not None and not isinstance(text, str):
            raise ValueError(f"the field {quote(reading.field)} is {_KINDS[type(text)]}, not a text")
        return text

    def _choose(self, record: Mapping[str, Any], name: str, reading: RecordReading) -> str:
        texts = [field for field, value in record.items() if isinstance(value, str)]
        if _USUAL not in record and len(texts) != 1:
            has = (
                f"several that are texts: {list_fields(texts)}"
                if texts
                else f"none that is a text: {list_fields(record)}"
            )
            example = write_spec(self, name, field=texts[0] if texts else "…")
            raise CorpusError(
                f"{title(name)} has no field 'text', and {has}; say which to read, as {example}, or read it as plain "
                f"text, as {write_plain_spec(name)}"
            )
        chosen = _USUAL if _USUAL in record else texts[0]
        reading.findings.add(
            f"{title(name)} was read as JSON Lines, by the field {quote(chosen)} of {list_fields(record)}; another is "
            f"read by {write_spec(self, name, field='…')}, and plain text by {write_plain_spec(name)}"
        )
        return chosen


def _parse(line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line.strip())
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" at")
        raise ValueError(f"it is no JSON: {message} at character {error.pos + 1:,}") from None
    except ValueError as error:  # a number of too many digits
        raise ValueError(f"its JSON can't be read: {error}") from None
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f'it is {_KINDS.get(type(record), "null")}, not an object such as {{"text": "…"}}')
    return record


def _look_up(record: Any, field: str) -> Any:
    """Return what a field has; a name with dots is one within another, where there is none of the whole name."""
    if not isinstance(record, dict):
        return _ABSENT
    if field in record:
        return record[field]
    outer, dot, inner = field.partition(".")
    return _look_up(record.get(outer), inner) if dot else _ABSENT
