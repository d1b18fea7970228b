"""Texts of Parquet files, written by pyarrow and read back."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_texts import documents, error_of, notes_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import textforge
from textforge.components.spec import parse_spec
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.resolve import resolve_corpora
from textforge.errors import OptionError
from textforge_datasets import ParquetCorpus
from textforge_datasets import parquet as module

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",), exclude_characters=END_OF_TEXT)))


def write(name, columns, **options):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)


def read(*paths, **options):
    return documents(ParquetCorpus(paths or ["a.parquet"], **options))


def refusal(*paths, **options):
    return error_of(ParquetCorpus(paths or ["a.parquet"], **options))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TEXTS, st.integers(1, 5), st.integers(1, 5))
def test_each_row_is_a_document(texts, group, rows):
    write("a.parquet", {"text": pa.array(texts, pa.string())}, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH_ROWS", rows)
        assert read() == [text for text in texts if text and not text.isspace()]


def test_it_is_read_in_batches_not_at_once(monkeypatch):
    write("a.parquet", {"text": ["x" * 1000] * 1000}, row_group_size=1000)
    monkeypatch.setattr(module, "_BATCH_BYTES", 10_000)
    metadata = pq.read_metadata("a.parquet")
    assert module._choose_rows(metadata, "text") == 256  # the file has the text once, by a dictionary
    write("a.parquet", {"text": ["x" * 1000] * 1000}, row_group_size=1000, use_dictionary=False)
    assert 5 <= module._choose_rows(pq.read_metadata("a.parquet"), "text") <= 10
    assert read() == ["x" * 1000] * 1000


@pytest.mark.parametrize(
    "type_",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_every_type_of_texts(type_):
    text = pa.array(["La.", None, "La.", "Hm."]).cast(type_)
    write("a.parquet", {"text": text, "deep": pa.StructArray.from_arrays([text], ["er"])})
    for column in ("text", "deep.er"):
        corpus = ParquetCorpus(["a.parquet"], column=column)
        assert documents(corpus) == ["La.", "La.", "Hm."]
        assert list(corpus.notes()) == ["left out 1 record whose text is null"]


class TestColumn:
    def test_the_choice_is_told(self):
        write("a.parquet", {"id": [1], "text": ["one"], "title": ["T"]})
        corpus = ParquetCorpus(["a.parquet"])
        assert documents(corpus) == ["one"]
        (note,) = corpus.notes()
        assert note == (
            "'a.parquet' was read by the column 'text' of 'id', 'text', 'title'; another is read by "
            "parquet:paths=a.parquet,column=…"
        )
        assert notes_of(ParquetCorpus(["a.parquet"], column="text")) == []
        spec = note.rpartition(" ")[2].replace("…", "title")
        assert documents(parse_spec(spec).build(ParquetCorpus)) == ["T"]

    def test_the_only_one_is_told_without_another(self):
        write("a.parquet", {"body": ["one"]})
        assert notes_of(ParquetCorpus(["a.parquet"])) == ["'a.parquet' was read by its only column, 'body'"]

    def test_the_only_one_with_texts_is_chosen(self):
        write("a.parquet", {"id": [1], "body": ["one"], "raw": [b"x"], "tags": [["x"]]})
        assert read() == ["one"]

    def test_where_none_can_be_chosen_they_are_listed(self):
        write("a.parquet", {"title": ["x"], "body": ["one"]})
        assert refusal() == (
            "'a.parquet' has no column 'text', and several that have texts: 'title', 'body'; say which to read, as "
            "parquet:paths=a.parquet,column=title"
        )
        write("a.parquet", {"id": [1], "song": [{"words": "x"}]})
        assert refusal() == (
            "'a.parquet' has no column 'text', and none that has texts: 'id', 'song.words'; say which to read, as "
            "parquet:paths=a.parquet,column=…"
        )

    def test_a_missing_one_names_the_columns_and_the_nearest(self):
        write("a.parquet", {"id": [1], "body": ["one"], "song": [{"words": "x"}]})
        assert refusal(column="boby") == (
            "'a.parquet' has no column 'boby'; its columns are 'id', 'body', 'song.words'; did you mean 'body'?"
        )
        assert refusal(column="song.word").endswith("'song.words'; did you mean 'song.words'?")
        assert refusal(column="body.words").startswith("'a.parquet' has no column 'body.words'; ")

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1], "a number"),
            ([1.5], "a number"),
            ([True], "true or false"),
            ([b"x"], "binary data"),
            ([["x"]], "a list"),
            (pa.array([{"words": "x"}]), "a struct"),
            (pa.array([0], pa.timestamp("s")), "a time"),
            (pa.array([1]).dictionary_encode(), "a number"),
            (pa.array([[("a", "x")]], pa.map_(pa.string(), pa.string())), "a map"),
        ],
    )
    def test_one_without_texts_is_refused(self, values, kind):
        write("a.parquet", {"text": values, "body": ["one"]})
        for options in ({}, {"column": "text"}):
            message = refusal(**options)
            assert message.startswith(f"'a.parquet': the column 'text' is {kind}, not a text; its columns with texts")
            assert message.endswith("; one is read by parquet:paths=a.parquet,column=body") or kind == "a struct"

    def test_nulls_alone_are_no_error_where_other_files_have_texts(self):
        write("a.parquet", {"text": ["one"]})
        write("b.parquet", {"text": pa.nulls(3)})
        corpus = ParquetCorpus(["a.parquet", "b.parquet"], column="text")
        assert documents(corpus) == ["one"]
        assert list(corpus.notes()) == ["left out 3 records whose text is null"]

    def test_a_field_of_a_struct_that_is_null_is_null(self):
        write("a.parquet", {"a": [{"b": {"c": "x"}}, None, {"b": None}, {"b": {"c": None}}, {"b": {"c": "y"}}]})
        corpus = ParquetCorpus(["a.parquet"], column="a.b.c")
        assert documents(corpus) == ["x", "y"]
        assert list(corpus.notes()) == ["left out 3 records whose text is null"]

    def test_a_name_with_dots_is_first_a_column_s_own(self):
        write("a.parquet", {"a.b": ["dots"], "a": [{"b": "deep", "b.c": "deep dots"}]})
        assert read(column="a.b") == ["dots"]
        assert read(column="a.b.c") == ["deep dots"]

    def test_the_same_name_twice_is_refused(self):
        write("a.parquet", pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], ["text", "text"]))
        assert refusal() == "'a.parquet' has several columns 'text'; rename all but one"

    def test_a_later_file_must_have_it_too(self):
        write("a.parquet", {"body": ["one"]})
        write("b.parquet", {"bodies": ["two"]})
        assert refusal("a.parquet", "b.parquet") == (
            "'b.parquet' has no column 'body'; its columns are 'bodies'; did you mean 'bodies'?"
        )

    def test_many_columns_are_not_all_listed(self):
        write("a.parquet", {f"column{number}": ["x"] for number in range(50)})
        assert refusal(column="x").count("column") < 20


class TestOptions:
    def test_texts_are_changed_as_asked(self):
        write("a.parquet", {"text": ["ΟΔΟΣ", "E\u0301a", " \n"]})
        assert read() == ["ΟΔΟΣ", "E\u0301a"]
        assert read(lowercase=True, normalize="NFC") == ["οδος", "éa"]

    def test_no_path_is_refused(self):
        for paths in ([], [""]):
            with pytest.raises(OptionError, match="parquet: paths must name files or folders, got"):
                ParquetCorpus(paths)

    def test_bad_utf_8_is_an_error_or_left_out(self):
        offsets, data = pa.array([0, 1, 3, 4], pa.int32()).buffers()[1], pa.py_buffer(b"aa\xffc")
        write("a.parquet", {"text": pa.Array.from_buffers(pa.string(), 3, [None, offsets, data])})
        message = refusal()
        assert message == (
            "'a.parquet', row 2: its text is not in utf-8: byte 1 is 0xff; mend it, or have such records left out by "
            "parquet:paths=a.parquet,bad_records=skip"
        )
        corpus = parse_spec(message.rpartition(" ")[2]).build(ParquetCorpus)
        assert documents(corpus) == ["a", "c"]
        assert corpus.notes()[-1].startswith("left out 1 record that can't be read; the first is 'a.parquet', row 2: ")


class TestFiles:
    def test_folders_and_patterns_in_order(self):
        for name, text in (("b/2", "three"), ("a", "one"), ("b/1", "two"), (".hidden", "never")):
            write(f"data/{name}.parquet", {"text": [text]})
        write("data/_metadata", {"text": ["never"]})
        assert read("data") == ["one", "two", "three"]
        assert read("data/**/[12].parquet") == ["two", "three"]

    def test_others_in_a_folder_are_left_out_and_named(self):
        write("data/a.parquet", {"text": ["one"]})
        Path("data/README").write_text("Texts.")
        Path("data/_SUCCESS").touch()
        corpus = ParquetCorpus(["data"], column="text")
        assert documents(corpus) == ["one"]
        assert list(corpus.notes()) == [
            "left out 2 of the 3 files in 'data', not Parquet: 'data/README' (a text file), 'data/_SUCCESS' (empty)"
        ]
        Path("data/a.parquet").unlink()
        assert refusal("data") == (
            "the folder 'data' has no Parquet files: it has 'data/README' (a text file), 'data/_SUCCESS' (empty); name "
            "another folder"
        )

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"It is.", "'a.parquet' is a text file, not a Parquet file; leave out parquet: to read it as text"),
            (b"", "'a.parquet' is empty, not a Parquet file; give Parquet files only"),
            (b"GIF89a\0\0\0", "'a.parquet' is a GIF picture, not a Parquet file; give Parquet files only"),
            (b"PARE\0\0\0", "'a.parquet' is encrypted Parquet, not a Parquet file; decrypt it first"),
            (gzip.compress(b"PAR1"), "'a.parquet' is compressed by gzip, not a Parquet file; decompress it first"),
        ],
    )
    def test_what_is_no_parquet_is_refused(self, data, message):
        Path("a.parquet").write_bytes(data)
        assert refusal() == message

    def test_a_damaged_one_is_refused(self):
        write("a.parquet", {"text": [f"some text {number}" for number in range(1000)]}, compression="snappy")
        whole = Path("a.parquet").read_bytes()
        Path("a.parquet").write_bytes(whole[:-200])
        assert refusal().startswith("'a.parquet' is damaged or cut short, and can't be read as Parquet: ")
        Path("a.parquet").write_bytes(whole[:20] + bytes(200) + whole[220:])
        assert refusal().startswith("'a.parquet' is damaged or cut short, and can't be read as Parquet: ")

    def test_what_pyarrow_does_not_read_is_not_called_damaged(self, monkeypatch):
        def refuse(self, *arguments, **options):
            raise pa.ArrowNotImplementedError("Nested data\nin chunked arrays")

        write("a.parquet", {"text": ["one"]})
        monkeypatch.setattr(pq.ParquetFile, "iter_batches", refuse)
        assert refusal() == ("'a.parquet' has what pyarrow can't read: Nested data in chunked arrays; a newer one may")

    def test_a_missing_one_names_the_nearest(self):
        write("songs.parquet", {"text": ["one"]})
        assert refusal("song.parquet") == ("there is no file or folder 'song.parquet'; did you mean 'songs.parquet'?")

    def test_a_pipe_is_refused(self):
        os.mkfifo("pipe")
        for path, name in (("-", "standard input"), ("pipe", "'pipe'")):
            assert refusal(path) == f"{name} can't be read as Parquet, which begins at a file's end; give a file"

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_one_that_may_not_be_read(self):
        write("a.parquet", {"text": ["one"]})
        Path("a.parquet").chmod(0)
        assert refusal() == "can't read 'a.parquet': permission denied; allow it, or leave it out"


def test_a_model_learns_from_it_and_goes_on():
    write("names.parquet", {"text": [f"name {number % 7}" for number in range(200)]})
    textforge.train("parquet:names.parquet", output="model", architecture="ngram", seed=1)
    generator = textforge.train(resume=True, output="model")
    assert generator.encoder.end_of_text is not None
    assert generator.generate(seed=1, max_tokens=200).startswith("name ")


def test_a_file_is_known_by_its_suffix():
    write("songs.parquet", {"text": ["La la.", "Hm."]})
    corpus = textforge.Plugins().corpus("parquet:songs.parquet")
    assert resolve_corpora("songs.parquet", textforge.Plugins()) == [corpus]
    os.utime("songs.parquet", (1, 1))
    before = corpus.fingerprint()
    write("songs.parquet", {"text": ["La la.", "Hm!"]})
    os.utime("songs.parquet", (2, 2))
    assert before != corpus.fingerprint()
