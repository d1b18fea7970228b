"""The corpus ``paragraphs``: what stands between blank lines is a document."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.corpora.plain_text import PlainTextCorpus
from textforge.corpora.splitting import split_documents


class ParagraphsCorpus(PlainTextCorpus):
    r"""Paragraphs of text files, such as poems: each is a document, followed by `END_OF_TEXT`, the only one too.

    A line of blanks alone parts them, whatever ends it: ``\n``, ``\r\n`` or ``\r``. Within a paragraph lines stay as
    they are; its last line has no end. `TextFilesCorpus` says how files are read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "poems.txt"
    >>> _ = file.write_bytes(b"Roses are red,\nviolets are blue.\n\n \nSo.\n")
    >>> "".join(ParagraphsCorpus([str(file)]).read())
    'Roses are red,\nviolets are blue.\ufdd0So.\ufdd0'
    """

    name = "paragraphs"

    def read(self) -> Iterator[str]:
        for file in self.read_plain(self.begin()):
            yield from split_documents(file.chunks, every_line=False)
