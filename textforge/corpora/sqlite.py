"""The corpus ``sqlite``: what a query gives of an SQLite database, each row a document."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote as quote_url

from textforge.components.component import option
from textforge.components.values import quote
from textforge.corpora.findings import FindingCorpus, Findings
from textforge.corpora.normalizing import NONE
from textforge.corpora.paths import is_file, make_missing_error, title
from textforge.corpora.records import batch, count_records, list_fields
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP, change_text
from textforge.errors import CorpusError, OptionError

_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_TABLES = "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"


class SqliteCorpus(FindingCorpus):
    r"""Texts of an SQLite database: the first column of a query's rows, each a document.

    `END_OF_TEXT` follows each, the only one too. A NULL is left out and counted, an empty or blank text is none. The
    database is opened read-only, and a query that would write is refused.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "songs.db"
    >>> with closing(sqlite3.connect(file)) as database:
    ...     _ = database.executescript("create table songs (words); insert into songs values ('La.'), (null), ('Hm.')")
    >>> corpus = SqliteCorpus(str(file), "select words from songs order by words")
    >>> "".join(corpus.read()), corpus.notes()
    ('Hm.\ufdd0La.\ufdd0', ('left out 1 record whose text is null',))
    """

    name = "sqlite"
    path: str = option(help="The database.")
    query: str = option(help="A query whose first column is the text: select words from songs order by number.")
    lowercase: bool = option(default=False, help=LOWERCASE_HELP)
    normalize: str = option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)

    def __attrs_post_init__(self) -> None:
        if not self.path:
            raise OptionError(f"{self.title()}path must name a database, got ''")

    def read(self) -> Iterator[str]:
        findings = self.begin()
        if not is_file(self.path):
            raise self._refuse_path()
        yield from batch(self._read_documents(findings))

    def _refuse_path(self) -> CorpusError:
        if Path(self.path).exists():
            return CorpusError(f"{title(self.path)} is no file, so no SQLite database; check the path")
        return make_missing_error(self.path)

    def _read_documents(self, findings: Findings) -> Iterator[str]:
        nulls = 0
        for number, text in enumerate(self._read_rows(), 1):
            if text is None:
                nulls += 1
            elif not isinstance(text, str):
                raise CorpusError(
                    f"{title(self.path)}, row {number:,} of {quote(self.query)}: the first column is "
                    f"{_describe(text)}, not a text; select another, or cast it as text"
                )
            elif text and not text.isspace():
                yield change_text(text, self.normalize, self.lowercase)
        if nulls:
            findings.add(f"left out {count_records(nulls)} whose text is null")

    def _read_rows(self) -> Iterator[object]:
        url = f"file:{quote_url(str(Path(self.path).absolute()))}?mode=ro"
        guard = _Guard()
        try:
            with closing(sqlite3.connect(url, uri=True, check_same_thread=False)) as database:
                database.set_authorizer(guard)
                try:
                    rows = database.execute(self.query)
                except sqlite3.OperationalError as error:
                    raise self._describe_failure(error, guard, _list_tables(database, error)) from error
                if rows.description is None:
                    raise CorpusError(f"sqlite: query must be a select, got {quote(self.query)}")
                yield from (row[0] for row in rows)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            raise self._describe_failure(error, guard) from error

    def _describe_failure(self, error: Exception, guard: _Guard, hint: str = "") -> CorpusError:
        if guard.refused:
            return CorpusError(f"sqlite: query may only read, as a select does, got {quote(self.query)}")
        reason = " ".join(str(error).split())
        if reason == "file is not a database":
            return CorpusError(f"{title(self.path)} is no SQLite database, or an encrypted one; check the path")
        return CorpusError(f"{title(self.path)} can't be asked {quote(self.query)}: {reason}{hint}")


class _Guard:
    """The authorizer of a connection: it allows what reads alone."""

    def __init__(self) -> None:
        self.refused = False

    def __call__(self, action: int, table: str | None, argument: str | None, *_: str | None) -> int:
        # A virtual table, such as one for full text, says what it is by these when it is read.
        declares = (action, table) == (sqlite3.SQLITE_UPDATE, "sqlite_master") and argument is not None
        asks = (action, table, argument) == (sqlite3.SQLITE_PRAGMA, "data_version", None)
        if action in _READING or declares or asks:
            return sqlite3.SQLITE_OK
        self.refused = True
        return sqlite3.SQLITE_DENY


def _list_tables(database: sqlite3.Connection, error: sqlite3.OperationalError) -> str:
    if "no such table" not in str(error):
        return ""
    return f"; its tables are {list_fields([name for (name,) in database.execute(_TABLES)])}"


def _describe(value: object) -> str:
    return "binary data" if isinstance(value, bytes) else f"a number, {value}"
