"""For each check of a corpus, a corpus that fails it and passes the others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import textforge

TEXTS = ("The first document.", "\u00c9t\u00e9: the second.", "And \u65e5\u672c\u8a9e.")


class GoodCorpus(textforge.Corpus):
    """Three documents."""

    name = "good"

    def read(self) -> Iterator[str]:
        for text in TEXTS:
            yield text[:5]
            yield text[5:] + textforge.END_OF_TEXT


class Bytes(GoodCorpus):
    """Leaves the decoding to others."""

    def read(self) -> Iterator[Any]:
        return (text.encode() for text in TEXTS)


class Empty(GoodCorpus):
    """Has documents, but no text."""

    def read(self) -> Iterator[str]:
        return iter([textforge.END_OF_TEXT] * 3)


class CutCharacters(GoodCorpus):
    """Decodes each block by itself."""

    def read(self) -> Iterator[str]:
        data = " ".join(TEXTS).encode()
        return (data[at : at + 8].decode(errors="replace") for at in range(0, len(data), 8))


class HalfCharacters(GoodCorpus):
    """Cuts UTF-16 between the halves of a pair."""

    def read(self) -> Iterator[str]:
        yield "a\ud83d"
        yield "\ude00b"


class Between(GoodCorpus):
    """Has ends between documents only."""

    def read(self) -> Iterator[str]:
        yield textforge.END_OF_TEXT.join(TEXTS)


class Shuffling(GoodCorpus):
    """Has its documents in another order each time."""

    def read(self) -> Iterator[str]:
        texts = [character for text in TEXTS for character in text]
        random.shuffle(texts)
        yield from texts


PLACE = [0]


class OneReader(GoodCorpus):
    """Keeps the place of all its readers together."""

    def read(self) -> Iterator[str]:
        PLACE[0] = 0
        while PLACE[0] < len(TEXTS):
            PLACE[0] += 1
            yield TEXTS[PLACE[0] - 1]


class OneReading(GoodCorpus):
    """Can be read once from each object, and doesn't say so."""

    def read(self) -> Iterator[str]:
        if vars(self).get("_read"):
            return
        object.__setattr__(self, "_read", True)
        yield from super().read()


class Silent(GoodCorpus):
    """Raises what no contract speaks of."""

    def read(self) -> Iterator[str]:
        raise KeyError("text")
        yield ""


class Announcing(GoodCorpus):
    """Prints what it reads."""

    def read(self) -> Iterator[str]:
        for text in super().read():
            print("reading", text)
            yield text


class Dicing(GoodCorpus):
    """Draws from Python's global generator."""

    def read(self) -> Iterator[str]:
        random.random()
        return super().read()


class Telling(GoodCorpus):
    """Says what a user should know as one text, which would be shown letter by letter."""

    def notes(self) -> str:
        return "a.txt was left out"


class Rambling(GoodCorpus):
    """Says two things in one note."""

    def notes(self) -> list[str]:
        return ["a.txt was left out\nb.txt too"]


class Numbering(GoodCorpus):
    """Has a number for a fingerprint."""

    def fingerprint(self) -> int:
        return 1


class Dated(GoodCorpus):
    """Has a fingerprint that changes with each reading, so that nothing would ever be found by it."""

    def read(self) -> Iterator[str]:
        object.__setattr__(self, "_readings", vars(self).get("_readings", 0) + 1)
        return super().read()

    def fingerprint(self) -> str:
        return str(vars(self).get("_readings", 0))


class Printed(OneReading):
    """Has a fingerprint though it says that it can be read only once."""

    rereadable = False

    def fingerprint(self) -> str:
        return "once"


class Claiming(GoodCorpus):
    """Claims files, whose paths it can't be given."""

    suffixes = (".verse",)


class Dotless(GoodCorpus):
    """Claims files by what no file ends with."""

    suffixes = ("verse",)


class Taken(GoodCorpus):
    """Has the name of another one."""

    name = "files"


BROKEN = [
    (Bytes(), "text"),
    (Empty(), "text"),
    (CutCharacters(), "whole characters"),
    (HalfCharacters(), "whole characters"),
    (Between(), "documents"),
    (Shuffling(), "reading twice", "global generators"),
    (OneReader(), "chunking"),
    (OneReading(), "reading twice", "chunking"),
    (Silent(), "use"),
    (Telling(), "notes"),
    (Rambling(), "notes"),
    (Numbering(), "fingerprint"),
    (Dated(), "fingerprint"),
    (Printed(), "fingerprint"),
    (Claiming(), "suffixes"),
    (Dotless(), "suffixes"),
    (Announcing(), "silent"),
    (Dicing(), "global generators"),
    (Taken(), "name"),
]
