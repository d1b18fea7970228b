"""The corpora of what is written in HTML, and the licence around a book that may stand there."""

from __future__ import annotations

from collections.abc import Sequence

import textforge
from textforge.corpora.findings import Findings
from textforge.corpora.gutenberg import GutenbergCutter
from textforge.corpora.sources import Source
from textforge.corpora.stages import Stage
from textforge_documents._documents import DocumentsCorpus


class PagesCorpus(DocumentsCorpus):
    """A corpus of documents that are pages of HTML, or have them as chapters."""

    gutenberg: bool = textforge.option(
        default=False, help="Cut off the licence before and behind a book of Project Gutenberg, where it is found."
    )

    def make_stages(self) -> list[Stage]:
        stages = super().make_stages()
        return [GutenbergCutter(), *stages] if self.gutenberg else stages

    def finish_document(self, source: Source, stages: Sequence[Stage], findings: Findings) -> None:
        for cutter in stages:
            if isinstance(cutter, GutenbergCutter):
                found = {"before": cutter.found_start, "behind": cutter.found_end}
                for end in (end for end, was_found in found.items() if not was_found):
                    findings.add_among(
                        f"nothing was cut off {end} the book, as no mark of a licence was found", source.name
                    )
