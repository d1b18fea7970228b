"""The corpus ``epub``: the text of e-books."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.corpora.findings import Findings
from textforge.corpora.sources import Source, Sources
from textforge_documents._book import find_chapters
from textforge_documents._markup import read_page
from textforge_documents._package import open_package
from textforge_documents._pages import PagesCorpus


class EpubCorpus(PagesCorpus):
    r"""E-books in EPUB, each a document: its chapters in the order of the spine, a blank line between them.

    A chapter is read as the corpus ``html`` reads a page. Left out, and told in `notes`, is what the spine says is
    beside the book (``linear="no"``), the table of contents, and what is no page. A book whose chapters are encrypted
    is refused. One chapter is in memory at a time. `DocumentsCorpus` says how files are found.

    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "book.epub"
    >>> with zipfile.ZipFile(file, "w") as book:
    ...     book.writestr("META-INF/container.xml", '<a><rootfiles><rootfile full-path="a.opf"/></rootfiles></a>')
    ...     book.writestr("a.opf", '<a><manifest><item id="one" href="1.html" media-type="text/html"/></manifest>'
    ...                            '<spine><itemref idref="one"/></spine></a>')
    ...     book.writestr("1.html", "<h1>One</h1><p>It is so.")
    >>> "".join(EpubCorpus([str(file)]).read())
    'One\n\nIt is so.'
    """

    name = "epub"
    suffixes = (".epub",)
    title_of_kind = "an e-book"

    def read_document(self, source: Source, sources: Sources, findings: Findings) -> Iterator[str]:
        with open_package(source, sources, "an EPUB") as package:
            begun = False
            for chapter in find_chapters(package, findings):
                data = package.read(chapter, "its spine")
                for number, text in enumerate(read_page(data, f"{source.name}/{chapter}", findings)):
                    if begun and not number:
                        yield "\n\n"
                    begun = True
                    yield text
