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
_LETTER = f"[A-Za-z{_ACCENTED}]"
_IN_WORDS = "’‘´–—…·\u00ad\u00a0"
_PUNCTUATION = "’‘“”«»–—…•·¡¿\u00a0"

# Each line is a place in which no Western text has what stands there, and the encodings that are seen by it.
_FOREIGN = re.compile(
    "|".join(
        (
            "[šžŠŽŸÿðýþÐÝÞ¤¦ˆ˜¸¨¯¬ƒ]",  # letters elsewhere: Czech, Turkish, Baltic, Icelandic, Latin-9, Macintosh, DOS
            # symbols at letters
            f"{_LETTER}[^\0-\x7f{_ACCENTED}{_IN_WORDS}]{_LETTER}",  # Polish, Latin-2, DOS: a symbol within a word
            f"(?<![0-9])[¹²³¼½¾ªº£¢¥€†‡™®©]{_LETTER}",  # Polish: ³atwo; DOS: ™ffne; Macintosh: †ber
            f"{_LETTER}[¹³¼½¾¢£¥€†‡©¿¡„‚](?<!m³)",  # Polish: s¹; DOS: mog©, caf‚
            f"‚[^A-Za-z]|“[{_ACCENTED}][^A-Za-z ]",  # Japanese, DOS
            # punctuation within words, which stands for letters on the Macintosh
            f"{_LETTER}[–—](?!a)[a-z](?!{_LETTER})|[a-z]’[bcfgjpqwxz]|l’[dkmnr]",  # canci—n, espec’fico, l’nea
            f"[a-z{_LOWER}][{_UPPER}]|[{_UPPER}][A-Z][a-z]|[.,!?;:][{_UPPER}](?!{_LETTER})",  # waitÉ, ÒHello!Ó
            # letters beside letters
            "õ(?!e)|Õ(?!E)",  # Hungarian, Estonian; Portuguese has it before an e
            f"ã(?={_LETTER})[^oeis]",  # Romanian; Portuguese has it before these, or last
            f"è[aeiouyáéíóúàâêîôû]|ì{_LETTER}|ç[b-df-hj-np-tv-z]",  # Czech and Baltic: èíslo, mìsto, izvçle
            f"[aeiyó]æ|iê(?!{_LETTER})",  # Polish: byæ, siê
            f"[{_ACCENTED}]{{3}}(?<![äöÄÖ]{{3}})",  # Cyrillic, Greek, Hebrew, …; Finnish has öää
            f"(?<![A-Za-z{_ACCENTED}’'])(?!çà|Çà)[{_ACCENTED}]{{2,}}(?!{_LETTER})",  # … a word of two letters
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
    words = [word for word in set(data.split()) if not word.isascii()]  # few, even in a long text
    try:
        text = b" ".join(words).decode(ENCODING)
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
