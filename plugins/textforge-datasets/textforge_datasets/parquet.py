"""The corpus ``parquet``: a column of Parquet files, each row a document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import textforge
from textforge.components import values
from textforge.corpora.binary import HEAD_BYTES, describe_binary
from textforge.corpora.compression import find_compression
from textforge.corpora.findings import FindingCorpus, Findings, list_kinds
from textforge.corpora.normalizing import NONE
from textforge.corpora.paths import files_of, fingerprint_files, is_folder, is_stream, reading, title
from textforge.corpora.records import BAD_RECORDS, BAD_RECORDS_HELP, RecordReading, batch
from textforge.corpora.refusals import write_spec
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP
from textforge.errors import CorpusError, OptionError
from textforge_datasets._libraries import require_pyarrow
from textforge_datasets._reading import ColumnReading

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_INDEXES = {"_metadata", "_common_metadata"}
"""The files that Spark and Dask write beside others, with what those have of columns and rows, but no rows."""
_READ_BYTES = 1 << 20
_BATCH_BYTES = 1 << 22
_BATCH_ROWS = 256
"""Rows read at once, at most: a text that many rows share takes its place in the file but once."""


class ParquetCorpus(FindingCorpus):
    r"""A column of Parquet files, each row a document, followed by `END_OF_TEXT`, the only one too.

    Files are given by path, by folder (all files below it that are not hidden), or by pattern; of a folder, what is no
    Parquet is left out. Unless `column` is given, it is ``text`` where the first file has it, else the only one that
    has texts. `notes` tells of both. A null is left out and counted, an empty or blank text is none.

    Files are read by pyarrow, a few rows at a time: memory stays bounded, but for the longest text.

    >>> import tempfile, pyarrow, pyarrow.parquet
    >>> file = str(Path(tempfile.mkdtemp()) / "songs.parquet")
    >>> pyarrow.parquet.write_table(pyarrow.table({"song": [{"words": "La la."}, {"words": "Hm."}]}), file)
    >>> "".join(ParquetCorpus([file], column="song.words").read())
    'La la.\ufdd0Hm.\ufdd0'
    """

    name = "parquet"
    suffixes = (".parquet",)
    paths: tuple[str, ...] = textforge.option(help="Files, folders and patterns such as texts/**/*.parquet.")
    column: str | None = textforge.option(
        default=None,
        help="Name of the column that has the text; song.words is a field of a struct. none: text, or the only one "
        "that has texts.",
    )
    lowercase: bool = textforge.option(default=False, help=LOWERCASE_HELP)
    normalize: str = textforge.option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)
    bad_records: str = textforge.option(default="error", choices=BAD_RECORDS, help=BAD_RECORDS_HELP)

    def __attrs_post_init__(self) -> None:
        if not self.paths or "" in self.paths:
            raise OptionError(f"{self.title()}paths must name files or folders, got {values.quote(list(self.paths))}")

    def fingerprint(self) -> str | None:
        return fingerprint_files(self.paths)

    def read(self) -> Iterator[str]:
        findings = self.begin()
        files = [file for path in self.paths for file in self._find(path, findings)]
        remedy = "" if self.bad_records == "skip" else self.replace(bad_records="skip").spec
        records = RecordReading(findings, remedy, self.column, unit="row")
        column = ColumnReading(records, self.normalize, self.lowercase)
        empty = True
        for text in batch(document for file in files for document in self._read_file(file, column)):
            empty = False
            yield text
        records.finish(empty)

    def _find(self, path: str, findings: Findings) -> list[str]:
        """Return the Parquet files that a path stands for; one that it names by itself must be Parquet."""
        if is_stream(path):
            raise CorpusError(f"{title(path)} can't be read as Parquet, which begins at a file's end; give a file")
        found = [file for file in files_of(path) if Path(file).name not in _INDEXES]
        kinds = {file: kind for file in found if (kind := _find_kind(file))}
        if kinds and not is_folder(path):
            file, kind = next(iter(kinds.items()))
            raise CorpusError(f"{title(file)} is {kind}, not a Parquet file; {_advise(kind)}")
        if len(kinds) == len(found):
            others = f": it has {list_kinds(kinds)}" if kinds else ""
            raise CorpusError(f"the folder {title(path)} has no Parquet files{others}; name another folder")
        if kinds:
            findings.add(
                f"left out {len(kinds)} of the {len(found)} files in {title(path)}, not Parquet: {list_kinds(kinds)}"
            )
        return [file for file in found if file not in kinds]

    def _read_file(self, file: str, column: ColumnReading) -> Iterator[str]:
        require_pyarrow(self.name)
        from pyarrow import parquet

        first = 1
        with (
            _explain_damage(file),
            parquet.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False) as opened,
        ):
            path = column.settle(opened.schema_arrow, file, lambda name: write_spec(self, file, column=name))
            chosen = ".".join(path)
            size = _choose_rows(opened.metadata, chosen)
            for rows in opened.iter_batches(size, columns=[chosen], use_threads=False):
                yield from column.read(rows, file, first)
                first += len(rows)


def _choose_rows(metadata: Any, column: str) -> int:
    """Return the number of rows to read at once, by the size that a column's texts have on average."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    places = [place for place in range(metadata.num_columns) if metadata.schema.column(place).path == column]
    rows = _BATCH_ROWS
    for group in groups:
        size = sum(group.column(place).total_uncompressed_size for place in places)
        rows = min(rows, _BATCH_BYTES * group.num_rows // max(1, size))
    return max(1, rows)


def _find_kind(file: str) -> str | None:
    """Return the kind of a file that is no Parquet, by its first bytes; None where it is Parquet."""
    with reading(file), Path(file).open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(_MAGIC):
        return None
    if head.startswith(_ENCRYPTED):
        return "encrypted Parquet"
    if compression := find_compression(head):
        return f"compressed by {compression}"
    return (describe_binary(head) or "a text file") if head else "empty"


def _advise(kind: str) -> str:
    if kind.startswith("compressed"):
        return "decompress it first"
    if kind == "encrypted Parquet":
        return "decrypt it first"
    return "give Parquet files only" if kind != "a text file" else "leave out parquet: to read it as text"


@contextmanager
def _explain_damage(file: str) -> Iterator[None]:
    """Turn what pyarrow and the system say of a file into a `CorpusError`."""
    from pyarrow import ArrowException, ArrowNotImplementedError

    try:
        yield
    except (ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's; pyarrow's own have none
            with reading(file):
                raise
        reason = " ".join(str(error).split())
        if isinstance(error, ArrowNotImplementedError):
            raise CorpusError(f"{title(file)} has what pyarrow can't read: {reason}; a newer one may") from error
        raise CorpusError(f"{title(file)} is damaged or cut short, and can't be read as Parquet: {reason}") from error
