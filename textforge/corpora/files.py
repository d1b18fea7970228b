"""The corpus ``files``: texts as they lie on a disk, or come by standard input."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.components.component import option
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.paths import find_suffix
from textforge.corpora.plain_text import PlainTextCorpus
from textforge.names import READERS


class FilesCorpus(PlainTextCorpus):
    r"""Text files: by path, by folder (all files below it that are not hidden), or by pattern.

    Several files are several documents, each followed by `END_OF_TEXT`; an empty file is none. The members of an
    archive are files like others. `TextFilesCorpus` says how compressed files and other encodings than UTF-8 are read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "one.txt").write_bytes(b"First.\r\n")
    >>> list(FilesCorpus([str(folder)]).read())
    ['First.\n']
    >>> _ = (folder / "two.txt").write_bytes(b"Second.")
    >>> list(FilesCorpus([str(folder / "*.txt")], lowercase=True).read())
    ['first.\n', '\ufdd0', 'second.', '\ufdd0']
    """

    name = "files"
    suffixes = (".txt", ".text", ".md")  # any other that no corpus claims, too; of these none is asked
    newlines: str = option(
        default="universal",
        choices=("universal", "keep"),
        help="Turn every kind of line end into \\n, or keep them as they are.",
    )

    def read(self) -> Iterator[str]:
        findings = self.begin()
        for file in self.read_plain(findings, newlines=self.newlines):
            empty = True
            for text in file.chunks:
                empty = False
                yield text
            if file.files > 1 and not empty:
                yield END_OF_TEXT
            if document := READERS.get(find_suffix(file.name)):
                corpus, plugin = document
                advice = f"{corpus}:… of the plugin {plugin} reads its text alone"
                findings.add_among(f"read as it stands, with its markup ({advice})", file.name)
