"""Texts in records: JSON Lines and tables."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from textforge.cli import main
from textforge.components.spec import parse_spec
from textforge.corpora import csv_corpus, records, sources
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.csv_corpus import CsvCorpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.jsonl import JsonlCorpus
from textforge.corpora.records import RecordsCorpus
from textforge.errors import CorpusError, OptionError, TextforgeError

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\ufdd0"), max_size=12)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str, encoding: str = "utf-8") -> None:
    Path(name).write_bytes(text.encode(encoding))


def documents(corpus: RecordsCorpus) -> list[str]:
    *found, rest = "".join(corpus.read()).split(END_OF_TEXT)
    assert rest == ""
    return found


def jsonl(*paths: str, **options: Any) -> list[str]:
    return documents(JsonlCorpus(paths or ["a.jsonl"], **options))


def table(*paths: str, **options: Any) -> list[str]:
    return documents(CsvCorpus(paths or ["a.csv"], **options))


def error_of(read: Any, *arguments: Any, kind: type[TextforgeError] = CorpusError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        read(*arguments, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def notes_of(corpus: RecordsCorpus) -> list[str]:
    documents(corpus)
    return list(corpus.notes())


@given(texts=st.lists(TEXTS), size=st.integers(1, 20), ascii=st.booleans())
def test_json_by_its_own_writer(texts: list[str], size: int, ascii: bool) -> None:
    write("a.jsonl", "\n".join(json.dumps({"n": 1, "body": text}, ensure_ascii=ascii) for text in texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK_BYTES", size)
        assert jsonl(field="body") == [text for text in texts if text.strip()]


@given(
    texts=st.lists(TEXTS),
    size=st.integers(1, 20),
    delimiter=st.sampled_from(",;\t|"),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_by_python_s_own_writer(texts: list[str], size: int, delimiter: str, ends: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=ends)
    writer.writerow(["n", "body"])
    writer.writerows([number, text] for number, text in enumerate(texts))
    write("a.csv", written.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK_BYTES", size)
        assert table(column="body", delimiter=delimiter) == [text for text in texts if text.strip()]


class TestJson:
    def test_fields_within_fields(self) -> None:
        write("a.jsonl", '{"song": {"words": "La."}, "a.b": "dots"}')
        assert jsonl(field="song.words") == ["La."]
        assert jsonl(field="a.b") == ["dots"]
        assert error_of(jsonl, field="song.tune") == (
            "'a.jsonl', line 1: the record has no field 'song.tune'; its fields are 'song', 'a.b'; mend it, or have "
            "such records left out by jsonl:paths=a.jsonl,bad_records=skip,field=song.tune"
        )
        assert error_of(jsonl, field="song.words.x").startswith("'a.jsonl', line 1: the record has no field 'song.w")

    def test_the_field_that_is_chosen_is_told(self) -> None:
        write("a.jsonl", '{"id": 1, "text": "one", "title": "T"}\n{"id": 2, "text": "two"}')
        corpus = JsonlCorpus(["a.jsonl"])
        assert documents(corpus) == ["one", "two"]
        (note,) = corpus.notes()
        assert note == (
            "'a.jsonl' was read as JSON Lines, by the field 'text' of 'id', 'text', 'title'; another is read by "
            "jsonl:paths=a.jsonl,field=…, and plain text by files:a.jsonl"
        )
        assert notes_of(JsonlCorpus(["a.jsonl"], field="text")) == []

    def test_the_only_text_is_chosen(self) -> None:
        write("a.jsonl", '{"id": 1, "body": "one", "deep": {"x": "y"}}\n{"id": 2, "body": "two", "late": "x"}')
        assert jsonl() == ["one", "two"]

    def test_where_none_can_be_chosen_the_fields_are_listed(self) -> None:
        write("a.jsonl", '{"title": "x", "body": "one"}')
        message = error_of(jsonl)
        assert message == (
            "'a.jsonl' has no field 'text', and several that are texts: 'title', 'body'; say which to read, as "
            "jsonl:paths=a.jsonl,field=title, or read it as plain text, as files:a.jsonl"
        )
        spec, plain = (part.split(",")[0:2] for part in message.split(", as ")[1:])
        assert documents(parse_spec(",".join(spec)).build(JsonlCorpus)) == ["x"]
        assert "".join(parse_spec(plain[0]).build(FilesCorpus).read()) == '{"title": "x", "body": "one"}'
        write("a.jsonl", '{"id": 1}')
        assert "and none that is a text: 'id'; " in error_of(jsonl)

    def test_many_fields_are_not_all_listed(self) -> None:
        write("a.jsonl", json.dumps({f"field{number}": 1 for number in range(50)}))
        assert error_of(jsonl, field="x").count("field") < 20

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"text": "half', "it is no JSON: Unterminated string starting at character 10"),
            ("[1]", 'it is a list, not an object such as {"text": "…"}'),
            ("null", 'it is null, not an object such as {"text": "…"}'),
            ('"text"', 'it is a text, not an object such as {"text": "…"}'),
            ("[" * 100_000, "its JSON is nested too deeply"),
            (f'{{"text": {"9" * 5000}}}', "its JSON can't be read: Exceeds the limit (4300 digits)"),
            ('{"body": "x"}', "the record has no field 'text'; its fields are 'body'"),
            ("{}", "the record has no field 'text'; its fields are none"),
            ('{"text": 5}', "the field 'text' is a number, not a text"),
            ('{"text": ["x"]}', "the field 'text' is a list, not a text"),
            ('{"text": "a\\ud800b"}', "its text has half a surrogate pair, \\ud800"),
        ],
    )
    def test_a_bad_record(self, line: str, reason: str) -> None:
        write("a.jsonl", f'{{"text": "one"}}\n\n{line}\n{{"text": "two"}}')
        assert error_of(jsonl).startswith(f"'a.jsonl', line 3: {reason}")
        corpus = JsonlCorpus(["a.jsonl"], field="text", bad_records="skip")
        assert documents(corpus) == ["one", "two"]
        (note,) = corpus.notes()
        assert note.startswith(f"left out 1 record that can't be read; the first is 'a.jsonl', line 3: {reason}")

    def test_a_field_misspelt(self) -> None:
        write("a.jsonl", '{"text": "one"}\n' * 3)
        hint = "the record has no field 'txet'; its fields are 'text'; did you mean 'text'?"
        assert error_of(jsonl, field="txet") == f"'a.jsonl', line 1: {hint}"
        assert error_of(jsonl, field="txet", bad_records="skip") == (
            f"no record can be read; the first of 3 records is 'a.jsonl', line 1: {hint}"
        )

    def test_the_spec_to_write_is_of_all_files(self) -> None:
        write("a.jsonl", '{"text": "one"}\n')
        write("b.jsonl", "[]\n")
        spec = error_of(jsonl, "a.jsonl", "b.jsonl", lowercase=True).partition(" left out by ")[2]
        assert documents(parse_spec(spec).build(JsonlCorpus)) == ["one"]

    def test_nulls_are_left_out_and_counted(self) -> None:
        write("a.jsonl", '{"text": "one"}\n{"text": null}\n{"text": ""}\n{"text": " "}\n{"text": null}')
        corpus = JsonlCorpus(["a.jsonl"], field="text")
        assert documents(corpus) == ["one"]
        assert list(corpus.notes()) == ["left out 2 records whose text is null"]

    def test_half_a_surrogate_pair(self) -> None:
        write("a.jsonl", '{"text": "a\\ud800b \\ud83d\\ude00"}')
        assert jsonl(errors="replace") == ["a\ufffdb 😀"]
        assert jsonl(errors="ignore") == ["ab 😀"]

    def test_lower_case_is_of_the_text_alone(self) -> None:
        write("a.jsonl", '{"Text": "ΟΔΟΣ\\nA"}')
        assert jsonl(field="Text", lowercase=True) == ["οδος\na"]

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "cp1252"])
    def test_other_encodings(self, encoding: str) -> None:
        write("a.jsonl", '{"text": "It’s naïve."}\n' * 3, encoding)
        assert jsonl() == ["It’s naïve."] * 3

    def test_bad_bytes_within_a_compressed_file(self) -> None:
        Path("a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "\xc3\xa9"}\n{"text": "\xff"}'))
        message = error_of(jsonl, "a.jsonl.gz")
        assert message.startswith("'a.jsonl.gz' is in utf-8, but byte 25 is 0xff, invalid start byte; ")
        assert message.endswith("jsonl:paths=a.jsonl.gz,errors=replace")
        assert jsonl("a.jsonl.gz", errors="replace") == ["é", "\ufffd"]

    def test_a_line_is_held_in_memory_and_so_may_not_be_endless(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(records, "LONGEST_RECORD", 1 << 16)
        write("a.jsonl", '{"text": "x"}\n' + "a" * 600_000)
        assert error_of(jsonl) == (
            "'a.jsonl', line 2: it is longer than 65,536 characters, and a record is held in memory; "
            "give a file with a record a line"
        )

    def test_an_empty_file_has_no_records(self) -> None:
        write("a.jsonl", "")
        write("b.jsonl", '\n{"text": "x"}')
        assert jsonl() == []
        assert jsonl("a.jsonl", "b.jsonl") == ["x"]


class TestTable:
    def test_the_column_that_is_chosen_is_told(self) -> None:
        write("a.csv", "id,text,title\n1,one,T\n2,two,U\n")
        corpus = CsvCorpus(["a.csv"])
        assert documents(corpus) == ["one", "two"]
        (note,) = corpus.notes()
        assert note == (
            "'a.csv' was read as a table, by the column 'text' of 'id', 'text', 'title'; another is read by "
            "csv:paths=a.csv,column=…, and plain text by files:a.csv"
        )
        assert notes_of(CsvCorpus(["a.csv"], column="title")) == []

    def test_the_only_column_of_texts_is_chosen(self) -> None:
        write("a.csv", 'id,body,stars\n1,one,4.5\n2,"two, or so",\n')
        assert table() == ["one", "two, or so"]
        write("a.csv", "body\none\ntwo\n")
        assert table() == ["one", "two"]

    def test_where_none_can_be_chosen_the_columns_are_listed(self) -> None:
        write("a.csv", "title,body,n\nx,one,1\n")
        assert error_of(table) == (
            "'a.csv' has no column 'text', and several that may be it: 'title', 'body'; say which to read, as "
            "csv:paths=a.csv,column=title, or read it as plain text, as files:a.csv"
        )
        whole = error_of(table)
        write("a.csv", "title,body,n\nx,one,1\ny,two,2,longer,row\n")
        assert error_of(table) == whole

    def test_a_column_by_its_number_needs_no_header(self) -> None:
        write("a.csv", "5,good\n1,bad\n")
        assert table(column="2") == ["good", "bad"]
        assert error_of(table, column="3") == "'a.csv' has 2 columns, but column is 3"
        assert error_of(table, column="0", kind=OptionError) == "csv: column is counted from 1, got 0"

    @pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar")])
    def test_the_delimiter_is_found_and_told(self, delimiter: str, word: str) -> None:
        write("a.csv", f'n{delimiter}text\n1{delimiter}"one, two, three"\n2{delimiter}a\n')
        corpus = CsvCorpus(["a.csv"], column="text")
        assert documents(corpus) == ["one, two, three", "a"]
        assert list(corpus.notes()) == [f"the columns seem to be parted by {word}s; delimiter=… says otherwise"]
        assert table(column="text", delimiter=word) == table(column="text", delimiter=delimiter)

    def test_commas_in_the_texts_of_a_headerless_tsv(self) -> None:
        write("a.tsv", "1\tSo, and, so\n2\tSo\n")
        corpus = CsvCorpus(["a.tsv"], column="2")
        assert documents(corpus) == ["So, and, so", "So"]
        assert list(corpus.notes()) == []

    def test_quotation_marks_may_be_text(self) -> None:
        write("a.tsv", 'n\ttext\n1\t"Oh, he said.\n2\tNo."\n')
        assert table("a.tsv", column="text") == ["Oh, he said.\n2\tNo."]
        assert table("a.tsv", column="text", quotes=False) == ['"Oh, he said.', 'No."']

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("3", "the row has 1 columns, but the first has 2"),
            ("3,x,y", "the row has 3 columns, but the first has 2"),
            ('3,"y"z', "it is no CSV: ',' expected after '\"' (with quotes=false, quotation marks are text)"),
        ],
    )
    def test_a_bad_row(self, row: str, reason: str) -> None:
        write("a.csv", f'n,text\n1,"one\none"\n{row}\n\n2,two')
        assert error_of(table).startswith(f"'a.csv', line 4: {reason}")
        corpus = CsvCorpus(["a.csv"], column="text", bad_records="skip")
        assert documents(corpus) == ["one\none", "two"]
        assert list(corpus.notes()) == [f"left out 1 record that can't be read; the first is 'a.csv', line 4: {reason}"]

    def test_a_quote_that_never_ends(self) -> None:
        write("a.csv", 'n,text\n1,one\n2,"two\n3,three\n')
        assert error_of(table).startswith("'a.csv', line 3: a quoted value never ends (with quotes=false, ")

    def test_a_long_value(self) -> None:
        write("a.csv", f"n,text\n1,{'a' * 1_000_000}\n")
        assert [len(text) for text in table()] == [1_000_000]

    def test_a_value_that_is_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = csv.field_size_limit()
        monkeypatch.setattr(csv_corpus, "_allow_long_values", lambda: csv.field_size_limit(1000))
        write("a.csv", f"n,text\n1,{'a' * 2000}\n")
        try:
            assert error_of(table).startswith("'a.csv', line 2: a value is longer than 67,108,864 characters; a quot")
        finally:
            csv.field_size_limit(before)

    def test_columns_missing_and_double(self) -> None:
        write("a.csv", "n,body\n1,one\n")
        assert error_of(table, column="bdy").endswith("its columns are 'n', 'body'; did you mean 'body'?")
        assert error_of(table, column="words") == (
            "'a.csv' has no column 'words'; its columns are 'n', 'body'; where the first row is no header, write "
            "csv:paths=a.csv,column=1"
        )
        write("a.csv", "body,body\n1,one\n")
        assert error_of(table, column="body") == "'a.csv' has several columns 'body'; rename all but one"

    def test_each_file_has_its_own_order(self) -> None:
        write("a.csv", "n,text\n1,one\n")
        write("b.csv", "text;n\ntwo;2\n")
        assert table("a.csv", "b.csv") == ["one", "two"]
        write("b.csv", "body;n\ntwo;2\n")
        assert error_of(table, "a.csv", "b.csv").startswith("'b.csv' has no column 'text'; its columns are 'body', 'n'")

    def test_a_byte_order_mark_is_no_part_of_a_name(self) -> None:
        write("a.csv", "\ufefftext,n\none,1\n")
        assert table() == ["one"]

    @pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n"])
    def test_no_delimiter(self, delimiter: str) -> None:
        message = error_of(table, delimiter=delimiter, kind=OptionError)
        assert message.startswith("csv: delimiter must be one character or tab, got ")

    def test_nothing_but_a_header(self) -> None:
        write("a.csv", "n,text\n")
        assert table() == []
        write("a.csv", "\n\n")
        assert table() == []


def test_small_documents_come_many_at_once() -> None:
    write("a.jsonl", '{"text": "x"}\n' * 10_000)
    assert len(list(JsonlCorpus(["a.jsonl"]).read())) == 1


def test_training_tells_how_a_file_was_read() -> None:
    write("songs.jsonl", '{"id": 1, "text": "La la la."}\n' * 5)
    result = CliRunner().invoke(main, ["train", "songs.jsonl", "--architecture", "ngram", "-o", "m", "--seed", "1"])
    assert result.exit_code == 0
    assert "'songs.jsonl' was read as JSON Lines, by the field 'text' of 'id', 'text'; " in result.output
    write("songs.jsonl", '{"words": "La la la.", "tune": "x"}\n')
    result = CliRunner().invoke(main, ["train", "songs.jsonl", "--architecture", "ngram", "-o", "n"])
    assert result.exit_code == 1
    assert "several that are texts: 'words', 'tune'; say which to read, as jsonl:paths=songs.jsonl," in result.output
