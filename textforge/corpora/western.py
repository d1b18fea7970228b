"""The signs of Windows-1252, the encoding of most Western texts that are not in UTF-8.

Any bytes can be decoded as some 8-bit encoding, and statistics on short texts mislead (a library for it reads
``It’s`` as Korean). So the text that bytes give as Windows-1252 is searched for what a Western text doesn't have and
another encoding's text soon does: a symbol within a word where Polish has a letter, words of accented letters alone
where it is Cyrillic, ``þ`` where it is Turkish. One such place is enough to say no. Latin-1 is the same for the texts
that it has.
"""

from __future__ import annotations

import re

ENCODING = "cp1252"

_UPPER = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜ"
_LOWER = "àáâãäåæçèéêëìíîïñòóôõöøœùúûüß"
_ACCENTED = _UPPER + _LOWER
_LETTER = f"A-Za-z{_ACCENTED}"
_IN_WORDS = "’‘´–—…·\u00ad\u00a0"
_PUNCTUATION = "’‘“”«»–—…•·¡¿\u00a0"

_FOREIGN = re.compile(
    "|".join(
        (
            "[šžŠŽŸÿðýþÐÝÞ¤¦ˆ˜¸¨¯¬ƒ]",  # letters elsewhere: Czech, Turkish, Baltic, Icelandic, Latin-9, Macintosh, DOS
            f"[{_LETTER}][^\0-\x7f{_ACCENTED}{_IN_WORDS}][{_LETTER}]",  # Polish, Latin-2, DOS: a symbol within a word
            f"(?<![0-9])[¹²³¼½¾ªº][{_LETTER}]",  # Polish: ³atwo
            f"[{_LETTER}][„‚]",  # DOS: caf‚
            f"[a-z{_LOWER}][{_UPPER}]",  # Macintosh: waitÉ
            f"[{_UPPER}][A-Z][a-z]|[.,!?;:][{_UPPER}](?![{_LETTER}])",  # Macintosh: ÒHello!Ó
            "õ(?!e)|Õ(?!E)",  # Hungarian, Estonian; Portuguese has it before an e
            f"ã(?=[{_LETTER}])[^oeis]",  # Romanian; Portuguese has it before these, or last
            f"[{_ACCENTED}]{{3}}",  # Cyrillic, Greek, Hebrew, …
            f"(?<![{_LETTER}’'])(?!çà|Çà)[{_ACCENTED}]{{2,}}(?![{_LETTER}])",  # the same, in a word of two letters
            f"(?=[^\0-\x7f]{{4}})[{_PUNCTUATION}]{{0,3}}[^\0-\x7f{_PUNCTUATION}]",  # Chinese, Japanese, Korean
        )
    )
)


def is_western(data: bytes) -> bool:
    r"""Return whether bytes are a Western text in Windows-1252: English, French, German, Spanish, Swedish, ….

    Icelandic, Estonian and whoever writes ``š`` are refused, as other encodings have other letters in those places.

    >>> is_western("“It’s déjà vu”".encode("cp1252")), is_western("Łódź".encode("cp1250")), is_western(b"\x81")
    (True, False, False)
    """
    try:
        text = data.decode(ENCODING)
    except UnicodeDecodeError:
        return False
    return _FOREIGN.search(text) is None


def cut_to_words(data: bytes, first: bool, final: bool) -> bytes:
    """Return a piece of a text without the words that its ends cut; `first`, `final`: whether they are the text's own.

    >>> cut_to_words(b"f a word an", first=False, final=False)
    b' a word '
    """
    begin = 0 if first else max(0, _find_space(data))
    end = len(data) if final else len(data) - max(0, _find_space(data[::-1]))
    return data[begin:end]


def _find_space(data: bytes) -> int:
    found = re.search(rb"\s", data)
    return found.start() if found else -1
