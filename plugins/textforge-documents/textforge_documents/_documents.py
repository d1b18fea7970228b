"""The corpora of documents: the files that they read, and what they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import textforge
from textforge.components import values
from textforge.corpora.findings import FindingCorpus, Findings
from textforge.corpora.normalizing import NONE
from textforge.corpora.paths import STANDARD_INPUT, find_suffix, fingerprint_files, is_folder, is_stream, title
from textforge.corpora.sources import Source, Sources
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP, Stage, make_stages
from textforge.errors import CorpusError, OptionError
from textforge_documents._libraries import LXML

_NAMED = 3


class DocumentsCorpus(FindingCorpus):
    """A corpus of documents: by path, by folder (the files below it that are called so), or by pattern.

    Several documents are each followed by `END_OF_TEXT`. The members of a ZIP archive that is called so (``.zip``) are
    documents like others, and so is what gzip, bzip2, xz or zstd has compressed. A document without text is an error
    where it is alone; of several it is left out. `notes` tells of that, and of whatever else was left out.
    """

    title_of_kind: ClassVar[str]
    """The kind of document, as messages name it."""
    paths: tuple[str, ...] = textforge.option(help="Files, folders and patterns; - is standard input.")
    lowercase: bool = textforge.option(default=False, help=LOWERCASE_HELP)
    normalize: str = textforge.option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)

    def __attrs_post_init__(self) -> None:
        if not self.paths or "" in self.paths:
            raise OptionError(f"{self.title()}paths must name files or folders, got {values.quote(list(self.paths))}")
        if self.paths.count(STANDARD_INPUT) > 1:
            raise OptionError(f"{self.title()}paths names standard input (-) twice, but it can be read only once")

    def fingerprint(self) -> str | None:
        return fingerprint_files(self.paths)

    @property
    def rereadable(self) -> bool:
        """True where every path is a regular file, a folder or a pattern, not a pipe or standard input."""
        return not any(is_stream(path) for path in self.paths)

    def read(self) -> Iterator[str]:
        LXML.require(self)
        findings = self.begin()
        with Sources() as sources:
            found = [source for path in self.paths for source in self._find(path, sources, findings)]
            empty: list[str] = []
            for source in found:
                stages = self.make_stages()
                text = push_all(self.read_document(source, sources, findings), stages)
                has_text = False
                for chunk in text:
                    has_text = has_text or not chunk.isspace()
                    yield chunk
                if has_text:
                    findings.add_among(f"read as {self.title_of_kind}, by the corpus {self.name}", source.name)
                    self.finish_document(source, stages, findings)
                else:
                    empty.append(source.name)
                if len(found) > 1 and has_text:
                    yield textforge.END_OF_TEXT
            self._report_empty(empty, len(found), findings)

    @abstractmethod
    def read_document(self, source: Source, sources: Sources, findings: Findings) -> Iterator[str]:
        """Yield the text of one document, in chunks; nothing where it has none."""

    def make_stages(self) -> list[Stage]:
        """Return the changes to one document's text that the options ask for."""
        return make_stages(self.normalize, self.lowercase)

    def finish_document(self, source: Source, stages: Sequence[Stage], findings: Findings) -> None:
        """Add to the findings what the changes of one document's text have to tell; nothing unless overridden."""

    def _find(self, path: str, sources: Sources, findings: Findings) -> list[Source]:
        """Return the documents that a path stands for; of a folder or an archive those that are called so."""
        found = sources.find(path)
        chosen = [source for source in found if not source.is_among_others or self._claims(source)]
        left_out = [source.name for source in found if source not in chosen]
        called = join_or(self.suffixes)
        if not chosen:
            word = "folder" if is_folder(path) else "archive"
            raise CorpusError(
                f"the {word} {title(path)} has no file called {called}; name another, or files by a pattern"
            )
        if left_out:
            names = shorten(left_out)
            findings.add(
                f"left out {len(left_out)} of the {len(found)} files in {path!r}, not called {called}: {names}"
            )
        return chosen

    def _claims(self, source: Source) -> bool:
        hidden = source.name.replace("\\", "/").rpartition("/")[2].startswith("~$")  # a mark of Word's: it is open
        return find_suffix(source.name) in self.suffixes and not hidden

    def _report_empty(self, empty: list[str], total: int, findings: Findings) -> None:
        if empty and len(empty) == total:
            which = title(empty[0]) if total == 1 else f"each of the {total} documents, from {title(empty[0])} on,"
            raise CorpusError(f"{which} has no text (pictures of text aren't read); give a document that has some")
        if empty:
            findings.add(f"left out {len(empty)} of the {total} documents, which have no text: {shorten(empty)}")


def push_all(chunks: Iterable[str], stages: Sequence[Stage]) -> Iterator[str]:
    """Yield a text as the stages change it, without empty chunks."""
    for chunk, final in ((chunk, final) for chunks, final in ((chunks, False), (("",), True)) for chunk in chunks):
        for stage in stages:
            chunk = stage.push(chunk, final)
        if chunk:
            yield chunk


def shorten(names: Sequence[str]) -> str:
    """Return the first few names, and the number of the others."""
    shown = ", ".join(map(repr, names[:_NAMED]))
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def join_or(names: Sequence[str]) -> str:
    """Return names as a sentence offers them: ``.html, .htm or .xhtml``."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
