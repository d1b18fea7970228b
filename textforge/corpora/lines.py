"""The corpus ``lines``: each line of a text is a document."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.corpora.plain_text import PlainTextCorpus
from textforge.corpora.splitting import split_documents


class LinesCorpus(PlainTextCorpus):
    r"""Lines of text files, such as names: each is a document, followed by `END_OF_TEXT`, the only one too.

    Lines end with ``\n``, ``\r\n`` or ``\r``; the last may lack its end. Blank lines are none. Blanks around others
    stay, and so do null bytes where `errors` lets them pass. A line of any length goes through in bounded memory.
    `TextFilesCorpus` says how files are read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "names.txt"
    >>> _ = file.write_bytes(b"Emma\r\n\r\nOlivia")
    >>> "".join(LinesCorpus([str(file)]).read())
    'Emma\ufdd0Olivia\ufdd0'
    """

    name = "lines"

    def read(self) -> Iterator[str]:
        for file in self.read_plain(self.begin()):
            yield from split_documents(file.chunks, every_line=True)
