"""The corpus ``url``: a text at any address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from textforge.components.component import option
from textforge.components.values import quote
from textforge.corpora.base import Corpus
from textforge.corpora.cache import fetch_address
from textforge.corpora.decoding import AUTO
from textforge.corpora.files import FilesCorpus
from textforge.corpora.normalizing import NONE
from textforge.corpora.paths import title
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP
from textforge.errors import OptionError


class UrlCorpus(Corpus):
    """A text at an address, downloaded when it is first read, then kept and never asked for again.

    It is kept in the folder of the user's cache, or the one that the environment variable `TEXTFORGE_CACHE` names;
    `notes` tells where. Nothing is known of what it should be, so it isn't checked. What was downloaded is read as the
    corpus ``files`` reads a file.

    >>> UrlCorpus("https://www.gutenberg.org/cache/epub/11/pg11.txt", gutenberg=True).spec
    'url:url=https://www.gutenberg.org/cache/epub/11/pg11.txt,gutenberg=true'
    """

    name = "url"
    url: str = option(help="Address of a text, or of a compressed one, that begins with https:// or http://.")
    encoding: str = option(default=AUTO, help="Encoding of the text; auto: found by what it has, UTF-8 first.")
    lowercase: bool = option(default=False, help=LOWERCASE_HELP)
    normalize: str = option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)
    gutenberg: bool = option(default=False, help="Cut off the licence around a book of Project Gutenberg.")

    def __attrs_post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("https", "http") and bool(parts.hostname)
        except ValueError:
            valid = False
        if not valid:
            raise OptionError(f"{self.title()}url must begin with https:// or http://, got {quote(self.url)}")
        object.__setattr__(self, "_notes", ())

    def read(self) -> Iterator[str]:
        path = str(fetch_address(self.url))
        files = FilesCorpus(
            (path,),
            encoding=self.encoding,
            lowercase=self.lowercase,
            normalize=self.normalize,
            gutenberg=self.gutenberg,
        )
        yield from files.read()
        kept = f"{self.url} is kept as {title(path)}; remove that file to have it downloaded anew"
        object.__setattr__(self, "_notes", (kept, *files.notes()))  # no part of the value

    def notes(self) -> Sequence[str]:
        notes: tuple[str, ...] = vars(self)["_notes"]
        return notes
