"""The corpora that read text files as they stand, or as the books within them."""

from __future__ import annotations

from collections.abc import Iterator

from textforge.components.component import option
from textforge.corpora.findings import Findings
from textforge.corpora.gutenberg import GutenbergCutter
from textforge.corpora.stages import Stage
from textforge.corpora.text_files import FileText, TextFilesCorpus


class PlainTextCorpus(TextFilesCorpus):
    """A corpus of text files that have nothing but text, and perhaps a licence around it."""

    gutenberg: bool = option(
        default=False, help="Cut off the licence before and behind a book of Project Gutenberg, where it is found."
    )

    def read_plain(self, findings: Findings, *, newlines: str = "universal") -> Iterator[FileText]:
        """Yield the files that the paths stand for, each with its text; `notes` tells of books without marks."""
        if not self.gutenberg:
            yield from self.read_texts(findings, newlines=newlines)
            return
        cutters: list[GutenbergCutter] = []

        def make_stages() -> list[Stage]:
            cutters.append(GutenbergCutter())
            return [cutters[-1], *self.make_stages()]

        for file in self.read_texts(findings, newlines=newlines, stages=make_stages):
            yield file
            cutter = cutters.pop()
            for mark, end, found in (("START", "before", cutter.found_start), ("END", "behind", cutter.found_end)):
                if not found:
                    line = f"*** {mark} OF THE PROJECT GUTENBERG …"
                    findings.add_among(f"nothing was cut off {end} the book, as no line {line} was found", file.name)
