"""The corpus ``html``: the text of web pages."""

from __future__ import annotations

from collections.abc import Iterator

import textforge
from textforge.corpora.binary import HEAD_BYTES, describe_binary
from textforge.corpora.decoding import AUTO, check_encoding
from textforge.corpora.findings import Findings
from textforge.corpora.paths import title
from textforge.corpora.sources import Source, Sources
from textforge.errors import CorpusError, OptionError
from textforge_documents._markup import LARGEST_PAGE, read_page
from textforge_documents._pages import PagesCorpus


class HtmlCorpus(PagesCorpus):
    r"""Pages of HTML or XHTML, as the text that a reader sees, each a document.

    Blocks such as ``div`` end lines, a blank line parts paragraphs, a tab the cells of a row. Entities are the
    characters they stand for. Left out are scripts, styles, the head, what is hidden, ``nav``, form fields, the numbers
    of pages, readings above characters (``rt``), pictures and soft hyphens; of lists, the bullets and numbers.

    A page is in UTF-8 where its bytes are, else in the encoding that it names (in a ``meta`` or its XML declaration),
    else it is read as the corpus ``files`` reads a text. It is parsed by lxml, held in memory as a whole, and no larger
    than 64 MiB. Nothing that it refers to is read, and no entity of its own is expanded. `DocumentsCorpus` says how
    files are found.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "page.html"
    >>> _ = file.write_text("<title>T</title><h1>One</h1><p>It&rsquo;s <i>so</i>.")
    >>> "".join(HtmlCorpus([str(file)]).read())
    'One\n\nIt’s so.'
    """

    name = "html"
    suffixes = (".html", ".htm", ".xhtml")
    title_of_kind = "HTML"
    encoding: str = textforge.option(
        default=AUTO, help="Encoding of the pages; auto: UTF-8 where a page is that, else what it names itself."
    )
    errors: str = textforge.option(
        default="strict",
        choices=("strict", "replace", "ignore"),
        help="What becomes of bytes that are not in the encoding: an error, a mark, or nothing.",
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        try:
            check_encoding(self.encoding)
        except ValueError as error:
            raise OptionError(f"{self.title()}encoding {error}") from None

    def read_document(self, source: Source, sources: Sources, findings: Findings) -> Iterator[str]:
        data = bytearray()
        for chunk in sources.read(source):
            data += chunk
            if len(data) > LARGEST_PAGE:
                raise CorpusError(
                    f"{title(source.name)} is larger than {LARGEST_PAGE >> 20} MiB, and a page is held in memory; "
                    "cut it into several"
                )
        kind = describe_binary(bytes(data[:HEAD_BYTES])) if self.encoding == AUTO else None
        if kind and self.errors == "strict":
            raise CorpusError(f"{title(source.name)} is {kind}, not HTML; leave it out")
        yield from read_page(bytes(data), source.name, findings, self.encoding, self.errors)
