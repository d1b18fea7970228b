"""The findings of one reading of files: encodings that were found, and files that are no text."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from textforge.corpora.base import Corpus

_NAMED = 3


@attrs.define(eq=False)
class Findings:
    """The files that were not read as UTF-8, those that were left out, and whatever else is to be told."""

    _encodings: dict[str, str] = attrs.field(factory=dict)
    """By file, as each may be named more than once; so are the folders."""
    _left_out: dict[str, str] = attrs.field(factory=dict)
    _among: dict[str, dict[str, None]] = attrs.field(factory=dict)
    _others: dict[str, None] = attrs.field(factory=dict)

    def add_decoded(self, file: str, encoding: str | None) -> None:
        """Note that a file was read in an encoding that was found; None and UTF-8 are nothing to tell."""
        if encoding not in (None, "utf-8"):
            self._encodings[file] = str(encoding)

    def add_left_out(self, folder: str, kinds: dict[str, str], total: int) -> None:
        """Note the files of a folder that are no text, and what each is; `total` files are in the folder."""
        if kinds:
            verb = "is" if len(kinds) == 1 else "are"
            self._left_out[folder] = (
                f"left out {len(kinds)} of the {total} files in {folder!r}, which {verb} no text: {list_kinds(kinds)}"
            )

    def add_among(self, what: str, file: str) -> None:
        """Note something that may be true of several files."""
        self._among.setdefault(what, {})[file] = None

    def add(self, note: str) -> None:
        """Note something in words, once."""
        self._others[note] = None

    def notes(self) -> Sequence[str]:
        """Return what a user should know, a line each."""
        decoded: dict[str, list[str]] = {}
        for file, encoding in self._encodings.items():
            decoded.setdefault(encoding, []).append(file)
        encodings = (_describe(encoding, files) for encoding, files in decoded.items())
        among = (f"{what}: {_shorten([repr(file) for file in files])}" for what, files in self._among.items())
        return (*self._left_out.values(), *encodings, *among, *self._others)


class FindingCorpus(Corpus):
    """A corpus whose notes are the findings of its last reading."""

    def begin(self) -> Findings:
        """Return the findings of a new reading, for `notes` to tell; they are no part of the corpus's value."""
        findings = Findings()
        object.__setattr__(self, "_findings", findings)
        return findings

    def notes(self) -> Sequence[str]:
        findings: Findings | None = vars(self).get("_findings")
        return findings.notes() if findings else ()


def list_kinds(kinds: dict[str, str]) -> str:
    """Return the first few files, each with what it is, and the number of the others."""
    return _shorten([f"{file!r} ({kind})" for file, kind in kinds.items()])


def _describe(encoding: str, files: list[str]) -> str:
    names = _shorten([repr(file) for file in files])
    if len(files) == 1:
        return f"{names} is not in utf-8: it was read as {encoding}"
    return f"{len(files)} files are not in utf-8: they were read as {encoding}: {names}"


def _shorten(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_NAMED])} and {more} more"
