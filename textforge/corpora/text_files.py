"""The corpora that are read from text files, and the options that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textforge.components import values
from textforge.components.component import option
from textforge.corpora.binary import describe_binary, find_wide_encoding
from textforge.corpora.decoding import AUTO, TextDecoder, check_encoding, has_null_bytes
from textforge.corpora.detecting import UndecidedError
from textforge.corpora.findings import FindingCorpus, Findings, list_kinds
from textforge.corpora.normalizing import NONE
from textforge.corpora.paths import STANDARD_INPUT, fingerprint_files, is_folder, is_stream
from textforge.corpora.refusals import refuse_binary, refuse_encoding, refuse_undecided
from textforge.corpora.sources import Source, Sources
from textforge.corpora.stages import LOWERCASE_HELP, NORMAL_FORMS, NORMALIZE_HELP, Stage, make_stages
from textforge.errors import CorpusError, OptionError


class FileText(NamedTuple):
    """The text of one file, to be read to its end before the next."""

    name: str
    chunks: Iterator[str]
    """The text in chunks, none of them empty."""
    files: int
    """The number of files that are read together."""


class TextFilesCorpus(FindingCorpus):
    """A corpus of text files: by path, by folder (all files below it that are not hidden), or by pattern.

    A file compressed by gzip, bzip2, xz or zstd is read as what it has, by what it begins with; a ZIP archive that is
    called so (``.zip``) is read as its members, and ``books.zip/one.txt`` is one of them. Memory stays bounded, and
    what expands to more than 1,000 times its size, once past 64 MiB, is refused.

    With the encoding ``auto``, each file is looked at by itself, 256 KiB at a time, as it is read: it is UTF-16 or
    UTF-32 where its beginning speaks for it, UTF-8 where its first 256 KiB with other than ASCII are, else Windows-1252
    where all of it is a Western text. Where that isn't certain, `CorpusError` is raised, with advice for that file. Of
    a folder or an archive, what is no text by its first 4 KiB (a picture, a PDF) is left out; named by itself, it is
    refused. `notes` tells what was found and left out. With `errors` other than ``strict`` everything is read, as UTF-8
    by ``auto``.
    """

    paths: tuple[str, ...] = option(help="Files, folders and patterns such as books/**/*.txt; - is standard input.")
    encoding: str = option(
        default=AUTO,
        help="Encoding of the files; auto: of each file by itself, UTF-8 first. A byte order mark is left out.",
    )
    errors: str = option(
        default="strict",
        choices=("strict", "replace", "ignore"),
        help="What becomes of bytes that are not in the encoding: an error, a mark, or nothing.",
    )
    lowercase: bool = option(default=False, help=LOWERCASE_HELP)
    normalize: str = option(default=NONE, choices=NORMAL_FORMS, help=NORMALIZE_HELP)

    def __attrs_post_init__(self) -> None:
        if not self.paths or "" in self.paths:
            raise OptionError(f"{self.title()}paths must name files or folders, got {values.quote(list(self.paths))}")
        if self.paths.count(STANDARD_INPUT) > 1:
            raise OptionError(f"{self.title()}paths names standard input (-) twice, but it can be read only once")
        try:
            check_encoding(self.encoding)
        except ValueError as error:
            raise OptionError(f"{self.title()}encoding {error}") from None

    @property
    def rereadable(self) -> bool:
        """True where every path is a regular file, a folder or a pattern, not a pipe or standard input."""
        return not any(is_stream(path) for path in self.paths)

    def fingerprint(self) -> str | None:
        return fingerprint_files(self.paths)

    def make_stages(self) -> list[Stage]:
        """Return the changes to a text that the options ask for."""
        return make_stages(self.normalize, self.lowercase)

    def read_texts(
        self,
        findings: Findings,
        *,
        newlines: str = "universal",
        stages: Callable[[], Sequence[Stage]] | None = None,
    ) -> Iterator[FileText]:
        """Yield the files that the paths stand for, each with its text.

        `stages` makes the changes to each file's text, instead of those that the options ask for.
        """
        make = stages or self.make_stages
        with Sources() as sources:
            found = [source for path in self.paths for source in self._find(path, sources, findings)]
            for source in found:
                decoder = TextDecoder(self.encoding, self.errors, newlines == "universal", make())
                yield FileText(source.name, self._decode_all(decoder, sources.read(source), source), len(found))
                findings.add_decoded(source.name, decoder.found_encoding)

    def _find(self, path: str, sources: Sources, findings: Findings) -> list[Source]:
        """Return the sources that a path stands for; those of a folder or an archive without what is no text."""
        found = sources.find(path)
        if self.errors != "strict":
            return found
        kinds = {
            source: kind for source in found if source.is_among_others and (kind := self._find_kind(source, sources))
        }
        texts = [source for source in found if source not in kinds]
        named = {source.name: kind for source, kind in kinds.items()}
        if not texts:
            word = "folder" if is_folder(path) else "archive"
            raise CorpusError(f"the {word} {path!r} has no text: it has {list_kinds(named)}; name another {word}")
        findings.add_left_out(path, named, len(found))
        return texts

    def _find_kind(self, source: Source, sources: Sources) -> str | None:
        return sources.find_obstacle(source) or self._describe_binary(sources.read_head(source))

    def _describe_binary(self, head: bytes) -> str | None:
        return describe_binary(head, nulls=not has_null_bytes(self.encoding), controls=self.encoding == AUTO)

    def _decode_all(self, decoder: TextDecoder, chunks: Iterator[bytes], source: Source) -> Iterator[str]:
        head = b""
        for data in chunks:
            if not head:
                head = data
                if self.errors == "strict" and (kind := self._describe_binary(head)):
                    raise refuse_binary(kind, source)
            if text := self._decode(decoder, data, source, head):
                yield text
        if text := self._decode(decoder, b"", source, head):
            yield text

    def _decode(self, decoder: TextDecoder, data: bytes, source: Source, head: bytes) -> str:
        if self.errors == "strict" and self.encoding != AUTO and b"\0" in data and not has_null_bytes(self.encoding):
            raise self._refuse_null(source, head)
        try:
            return decoder.decode(data, final=not data)
        except UndecidedError as error:
            raise refuse_undecided(self, error, source) from None
        except UnicodeDecodeError as error:
            at = f"byte {decoder.offset(error)} is 0x{error.object[error.start]:02x}, {error.reason}"
            raise refuse_encoding(self, source.name, at, head) from None
        except UnicodeError as error:
            raise refuse_encoding(self, source.name, str(error), head) from None

    def _refuse_null(self, source: Source, head: bytes) -> CorpusError:
        if find_wide_encoding(head):
            return refuse_encoding(self, source.name, "it has null bytes", head)
        return refuse_binary("a binary file with null bytes", source)
