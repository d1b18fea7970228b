"""Texts of an SQLite database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import textforge
from textforge.components.spec import parse_spec
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.files import FilesCorpus
from textforge.corpora.sqlite import SqliteCorpus
from textforge.errors import CorpusError, OptionError, TextforgeError

SCRIPT = """
    create table songs (number integer, words text, title text);
    insert into songs values (1, 'La la.', 'A'), (2, null, 'B'), (3, '', 'C'), (4, 'ΟΔΟΣ', 'D'), (5, ' ', 'E');
"""
SELECT = "select words from songs order by number"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database, and the current one."""
    monkeypatch.chdir(tmp_path)
    run(SCRIPT)
    return tmp_path


def run(script: str, path: str = "songs.db") -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def documents(query: str = SELECT, path: str = "songs.db", **options: Any) -> list[str]:
    *found, rest = "".join(SqliteCorpus(path, query, **options).read()).split(END_OF_TEXT)
    assert rest == ""
    return found


def error_of(query: str = SELECT, path: str = "songs.db", kind: type[TextforgeError] = CorpusError) -> str:
    with pytest.raises(kind) as caught:
        documents(query, path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_each_row_is_a_document_and_null_is_none() -> None:
    corpus = SqliteCorpus("songs.db", SELECT)
    for _ in range(2):
        assert "".join(corpus.read()) == f"La la.{END_OF_TEXT}ΟΔΟΣ{END_OF_TEXT}"
        assert list(corpus.notes()) == ["left out 1 record whose text is null"]
    assert documents(lowercase=True) == ["la la.", "οδος"]


def test_the_spec_reads_back() -> None:
    spec = f'sqlite:songs.db,query="{SELECT}"'
    corpus = parse_spec(spec).build(SqliteCorpus)
    assert corpus == SqliteCorpus("songs.db", SELECT)
    assert parse_spec(corpus.spec).build(SqliteCorpus) == corpus
    assert textforge.train(spec, architecture="ngram:order=2", seed=1).generate("L", seed=1)


@pytest.mark.parametrize(
    "query",
    [
        "select title from songs where number in (1, 4) order by number",
        "select title, words from songs where words > ' ' order by 1",
        "select upper(title) from (select distinct title, words from songs) where length(words) > 1 order by 1",
        "with chosen(number) as (values (1), (4)) select title from songs natural join chosen order by number",
        "with recursive up(n) as (select 1 union select n + 3 from up where n < 4) select char(64 + n) from up",
    ],
)
def test_any_query_that_reads(query: str) -> None:
    assert documents(query) == ["A", "D"]


def test_full_text_and_json() -> None:
    run("create virtual table pages using fts5(words); insert into pages values ('one day'), ('two days')")
    assert documents("select words from pages where pages match 'day'") == ["one day"]
    assert documents('select value from json_each(\'["x", "y"]\')') == ["x", "y"]


@pytest.mark.parametrize(
    "query",
    [
        "insert into songs values (6, 'x', 'F')",
        "insert into songs values (6, 'x', 'F') returning words",
        "update songs set words = 'x'",
        "update sqlite_master set sql = 'x'",
        "delete from songs returning words",
        "drop table songs",
        "create table other (words)",
        "create temp table other as select words from songs",
        "attach 'other.db' as other",
        "vacuum into 'other.db'",
        "pragma journal_mode=wal",
        "begin exclusive",
    ],
)
def test_a_query_that_writes_is_refused(query: str) -> None:
    before = Path("songs.db").read_bytes()
    message = error_of(query)
    refused = message.startswith("sqlite: query may only read, as a select does, got ")
    assert refused or message.endswith(": table sqlite_master may not be modified")
    assert Path("songs.db").read_bytes() == before
    assert sorted(path.name for path in Path().iterdir()) == ["songs.db"]


@pytest.mark.parametrize("query", ["", "-- nothing"])
def test_no_query_at_all(query: str) -> None:
    assert error_of(query) == f"sqlite: query must be a select, got {query!r}"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("selec words", 'near "selec": syntax error'),
        ("select wrds from songs", "no such column: wrds"),
        ("select words from sngs", "no such table: sngs; its tables are 'songs'"),
        ("select 1; select 2", "You can only execute one statement at a time."),
        ("select load_extension('x')", "not authorized"),
        ("select ?", "Incorrect number of bindings supplied. The current statement uses 1, and there are 0 supplied."),
        ("select 'a\0b'", "the query contains a null character"),
    ],
)
def test_a_query_that_fails(query: str, reason: str) -> None:
    assert error_of(query) == f"'songs.db' can't be asked {query!r}: {reason}"


def test_what_is_no_text() -> None:
    assert error_of("select number, words from songs") == (
        "'songs.db', row 1 of 'select number, words from songs': the first column is a number, 1, not a text; "
        "select another, or cast it as text"
    )
    assert "the first column is binary data, not a text" in error_of("select x'00ff'")
    assert "Could not decode to UTF-8 column" in error_of("select cast(x'61ff' as text)")
    assert documents("select cast(number as text) from songs where number < 3 order by 1") == ["1", "2"]


def test_what_is_no_database() -> None:
    Path("a.txt").write_text("It is. " * 100)
    assert error_of(path="a.txt") == "'a.txt' is no SQLite database, or an encrypted one; check the path"
    assert error_of(path="song.db") == "there is no file or folder 'song.db'; did you mean 'songs.db'?"
    assert error_of(path=".") == "'.' is no file, so no SQLite database; check the path"
    assert error_of(path="", kind=OptionError) == "sqlite: path must name a database, got ''"
    assert sorted(path.name for path in Path().iterdir()) == ["a.txt", "songs.db"]


def test_a_database_among_files_is_told_by_its_corpus() -> None:
    with pytest.raises(
        CorpusError, match=r"^'songs.db' is an SQLite database, not text; read .* by the corpus sqlite$"
    ):
        list(FilesCorpus(["songs.db"]).read())


def test_a_name_with_signs_of_an_address(tmp_path: Path) -> None:
    run(SCRIPT, "a?mode=rwc#%41.db")
    assert documents(path="a?mode=rwc#%41.db") == ["La la.", "ΟΔΟΣ"]


def test_many_rows_are_read_one_by_one() -> None:
    query = "with recursive up(n) as (select 1 union all select n + 1 from up) select 'text ' || n from up"
    reading = SqliteCorpus("songs.db", query).read()  # it has no end
    assert next(reading).startswith(f"text 1{END_OF_TEXT}text 2{END_OF_TEXT}")
    reading.close()
