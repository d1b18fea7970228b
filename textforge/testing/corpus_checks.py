"""Checks of a corpus. Each is given a `CorpusCase`, and raises `CheckFailure`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from textforge.components.options import Option
from textforge.components.values import quote
from textforge.corpora.base import END_OF_TEXT
from textforge.testing import component_checks
from textforge.testing.cases import CorpusCase
from textforge.testing.failures import NotApplicable, fail
from textforge.testing.isolation import guard_generators

_REPLACEMENT = "\ufffd"


def check_text(case: CorpusCase) -> None:
    """Check that it reads text, and not nothing."""
    empty = True
    for number, chunk in enumerate(case.component.read()):
        if not isinstance(chunk, str):
            fail("chunks of text", f"{type(chunk).__name__} as chunk {number}", "decode bytes before they are yielded")
        empty = empty and not chunk.strip(END_OF_TEXT)
    if empty:
        fail("some text", "none", "yield the text, or raise textforge.errors.CorpusError that says why there is none")


def check_whole_characters(case: CorpusCase) -> None:
    """Check that no character is cut in two where one chunk ends and the next begins."""
    chunks = [chunk for chunk in case.component.read() if isinstance(chunk, str) and chunk]
    _refuse_empty(chunks)
    edges = [(before[-1], after[0]) for before, after in itertools.pairwise(chunks)]
    for before, after in edges:
        if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
            fail(
                "whole characters",
                f"half of one, {before!r}, at a chunk's end",
                "decode the whole text, not its chunks",
            )
    replaced = sum(chunk.count(_REPLACEMENT) for chunk in chunks)
    at_edges = sum((before + after).count(_REPLACEMENT) for before, after in edges)
    if replaced and replaced == at_edges and max(map(len, chunks)) > 1:
        fail(
            "characters that are not cut",
            f"{replaced} replacement characters, all of them where chunks end",
            "decode with an incremental decoder, codecs.getincrementaldecoder, or open the file as text",
        )


def check_documents(case: CorpusCase) -> None:
    """Check that, where there are several documents, each is followed by `END_OF_TEXT`, the last one too."""
    text = _text(case)
    _refuse_empty(text)
    if END_OF_TEXT in text and not text.endswith(END_OF_TEXT):
        fail(
            "END_OF_TEXT after each document",
            f"{quote(text[-20:])} at the end of the last",
            "yield textforge.END_OF_TEXT after every document, not between them",
        )


def check_reading_twice(case: CorpusCase) -> None:
    """Check that reading it a second time gives the same text, unless it says that it can't."""
    if not case.component.rereadable:
        raise NotApplicable("it says that it can be read only once")
    first, second = _text(case), _text(case)
    if not second:
        fail("the text a second time", "nothing", "begin anew in each read(), or let `rereadable` be False")
    if first != second:
        fail(
            "the same text a second time",
            f"{len(second)} characters instead of {len(first)}" if len(first) != len(second) else "another text",
            "begin anew in each read(), in an order that doesn't change, or let `rereadable` be False",
        )


def check_chunking(case: CorpusCase) -> None:
    """Check that pauses between chunks, and another reader in them, change nothing of the text."""
    if not case.component.rereadable:
        raise NotApplicable("it says that it can be read only once")
    with guard_generators():
        expected = _text(case)
    _refuse_empty(expected)
    parts = []
    with guard_generators():
        for chunk in case.component.read():
            parts.append(str(chunk))
            if len(parts) <= 3:
                next(iter(case.component.read()), None)  # begun, and left
    if "".join(parts) != expected:
        fail(
            "each reader to read the whole text, however others read beside it",
            f"{len(''.join(parts))} characters instead of {len(expected)}",
            "open what is read inside read(), and keep the place in its own variables",
        )


def check_notes(case: CorpusCase) -> None:
    """Check that what it says of a reading is lines: a sequence of texts, none of them empty or with a line's end."""
    for _ in case.component.read():
        pass
    notes = case.component.notes()
    if isinstance(notes, str) or not isinstance(notes, Sequence):
        fail("a sequence of lines from notes()", quote(notes), "give a tuple or a list of texts")
    for note in notes:
        if not isinstance(note, str) or len(note.splitlines()) != 1:
            fail("lines from notes()", quote(note), "give a text of one line for each thing to say")


def check_fingerprint(case: CorpusCase) -> None:
    """Check that its fingerprint is a text, the same before a reading and after it."""
    before = case.component.fingerprint()
    if before is not None and not isinstance(before, str):
        fail("a text or None from fingerprint()", quote(before), "give a text that changes with what is read")
    if before is not None and not case.component.rereadable:
        fail("no fingerprint, for it can be read only once", quote(before), "give None from fingerprint()")
    for _ in case.component.read():
        pass
    after = case.component.fingerprint()
    if before is not None and after != before:
        fail(
            "the same fingerprint as long as the text is the same",
            f"{quote(after)} after {quote(before)}",
            "make it of what decides the text: textforge.corpora.paths.fingerprint_files gives that of files",
        )


def check_suffixes(case: CorpusCase) -> None:
    """Check that it can be given the paths of the files that it claims by their suffixes, if any."""
    cls = type(case.component)
    wrong = [each for each in cls.suffixes if not each.startswith(".") or each != each.lower()]
    if isinstance(cls.suffixes, str) or wrong:
        fail('suffixes such as (".docx",), in small letters', quote(cls.suffixes), "begin each with a dot")
    paths = cls.options().get("paths")
    if cls.suffixes and (paths is None or not _takes_several(paths)):
        fail("an option `paths` for the files that it claims", "none", "declare paths: tuple[str, ...]")


def _takes_several(option: Option) -> bool:
    try:
        return bool(option.check(("a", "b")) == ("a", "b"))
    except ValueError:
        return False


def _refuse_empty(read: Sequence[str]) -> None:
    """Raise `NotApplicable` where nothing was read: nothing would be found wrong with it."""
    if not read:
        raise NotApplicable("nothing was left to read, so this says nothing of the corpus")


def _text(case: CorpusCase) -> str:
    return "".join(map(str, case.component.read()))


CHECKS = (
    component_checks.check_use,
    check_text,
    check_whole_characters,
    check_documents,
    check_reading_twice,
    check_chunking,
    check_notes,
    check_fingerprint,
    check_suffixes,
    *component_checks.CHECKS,
)
