"""The corpus ``dataset``: a column of a Hugging Face dataset, of the hub or of a folder, each row a document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import textforge
from textforge.corpora.findings import FindingCorpus, Findings
from textforge.corpora.normalizing import NONE
from textforge.corpora.records import BAD_RECORDS, BAD_RECORDS_HELP, RecordReading, batch
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP
from textforge.errors import OptionError
from textforge_datasets._failures import explain_failures
from textforge_datasets._libraries import attend_datasets, require_datasets
from textforge_datasets._opening import Opened, Opener, is_remote, is_saved
from textforge_datasets._reading import ColumnReading

_ROWS = 256
"""Rows that are taken at once."""


class DatasetCorpus(FindingCorpus):
    r"""A column of a Hugging Face dataset, each row a document, followed by `END_OF_TEXT`, the only one too.

    The dataset is one of the hub, by its name, or a folder: one that `save_to_disk` wrote, or one of data files. Its
    rows are read in their order, and no code that comes with it is run. Unless `split` is given, it is ``train`` where
    there is one, else the only one; unless `column` is, it is ``text``, else the only one that has texts. `notes` tells
    which. A null is left out and counted, an empty or blank text is none.

    A dataset of the hub is read as it comes, at the commit that the first reading of this corpus found.

    >>> import tempfile, datasets
    >>> folder = tempfile.mkdtemp()
    >>> datasets.Dataset.from_dict({"words": ["La la.", None, "Hm."]}).save_to_disk(folder)
    >>> corpus = DatasetCorpus(folder, column="words")
    >>> "".join(corpus.read()), corpus.notes()
    ('La la.\ufdd0Hm.\ufdd0', ('left out 1 record whose text is null',))
    """

    name = "dataset"
    path: str = textforge.option(help="Name on the Hugging Face hub, such as stanfordnlp/imdb, or a folder.")
    config: str | None = textforge.option(default=None, help="Name of a dataset's part, such as a language's.")
    split: str | None = textforge.option(default=None, help="Name of the split. none: train, or the only one.")
    column: str | None = textforge.option(
        default=None,
        help="Name of the column that has the text; song.words is a field of a struct. none: text, or the only one "
        "that has texts.",
    )
    revision: str | None = textforge.option(default=None, help="Commit, branch or tag on the hub. none: the newest.")
    streaming: bool = textforge.option(
        default=True, help="Read a dataset as it comes; false: make a copy in the cache of datasets first."
    )
    lowercase: bool = textforge.option(default=False, help=LOWERCASE_HELP)
    normalize: str = textforge.option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)
    bad_records: str = textforge.option(default="error", choices=BAD_RECORDS, help=BAD_RECORDS_HELP)

    def __attrs_post_init__(self) -> None:
        if not self.path:
            raise OptionError(f"{self.title()}path must name a dataset or a folder, got ''")
        object.__setattr__(self, "_commit", None)

    def read(self) -> Iterator[str]:
        findings = self.begin()
        remedy = "" if self.bad_records == "skip" else self.replace(bad_records="skip").spec
        records = RecordReading(findings, remedy, self.column, unit="row")
        empty = True
        for text in batch(self._read_documents(ColumnReading(records, self.normalize, self.lowercase), findings)):
            empty = False
            yield text
        records.finish(empty)

    def _read_documents(self, column: ColumnReading, findings: Findings) -> Iterator[str]:
        first, schema = 1, None
        for table in self._read_tables(column, findings):
            if schema is None or not schema.equals(table.schema):  # data files may differ
                schema = table.schema
                column.settle(schema, self.path, self._write_spec)
            for rows in table.to_batches():
                yield from column.read(rows, self.path, first)
                first += len(rows)

    def _read_tables(self, column: ColumnReading, findings: Findings) -> Iterator[Any]:
        """Yield the rows as Arrow's tables, with the column that is read, and perhaps others."""
        remote = is_remote(self.path)
        with self._attend(findings, remote):
            opened = self._open(findings, remote)
            dataset = opened.dataset
            if dataset.features is not None:  # of a stream of JSON or CSV, they aren't known yet
                path = column.settle(dataset.features.arrow_schema, self.path, self._write_spec)
                dataset = opened.narrow(path[0])
            tables = iter(dataset.with_format("arrow").iter(_ROWS))
        while True:
            with self._attend(findings, remote):
                table = next(tables, None)
            if table is None:
                return
            yield table

    def _open(self, findings: Findings, remote: bool) -> Opened:
        datasets = require_datasets(self.name)
        opener = Opener(self.path, self.config, self.split, self.revision, self.streaming, findings)
        if not remote:
            return opener.open_saved(datasets) if is_saved(self.path) else opener.open_folder(datasets)
        opened = opener.open_remote(datasets, vars(self)["_commit"])
        object.__setattr__(self, "_commit", opened.commit)
        return opened

    @contextmanager
    def _attend(self, findings: Findings, remote: bool) -> Iterator[None]:
        """Hold what datasets says and raises as findings and errors of ours; nothing is yielded meanwhile."""
        require_datasets(self.name)
        with explain_failures(self.path, remote=remote), attend_datasets(findings):
            yield

    def _write_spec(self, column: str) -> str:
        return self.replace(column=column).spec
