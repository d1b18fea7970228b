"""The corpus ``nietzsche``: the text of *Deep Learning with Python*, section 8.1."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.components.component import option
from textforge.corpora.base import Corpus
from textforge.corpora.cache import fetch_cached
from textforge.corpora.files import FilesCorpus

URL = "https://s3.amazonaws.com/text-datasets/nietzsche.txt"
SHA256 = "23cf69874ab69d3d256099ab530ea4be24d47d9675b673bcc67cbcd6298ec647"


class NietzscheCorpus(Corpus):
    """Writings of Nietzsche in English, 600,893 characters; downloaded when it is first read, then kept.

    The folder of the user's cache, or the one that the environment variable `TEXTFORGE_CACHE` names, is where
    ``nietzsche.txt`` is kept, and may be put by hand. The book reads it as Latin-1: 600,901 characters, 59 different
    (Chollet, *Deep Learning with Python*, 2017, section 8.1).

    >>> NietzscheCorpus()
    NietzscheCorpus(encoding='utf-8', lowercase=True)
    >>> NietzscheCorpus("latin-1").spec
    'nietzsche:encoding=latin-1'
    """

    name = "nietzsche"
    encoding: str = option(
        default="utf-8",
        choices=("utf-8", "latin-1"),
        help="The file is in utf-8; read as latin-1, it has the figures of the book.",
    )
    lowercase: bool = option(default=True, help="Turn everything into lower case, as the book does.")

    def read(self) -> Iterator[str]:
        path = str(fetch_cached(URL, SHA256))
        yield from FilesCorpus((path,), encoding=self.encoding, lowercase=self.lowercase).read()
