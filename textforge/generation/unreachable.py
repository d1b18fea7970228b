"""Stop texts that can never come: a mistake that would pass in silence."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable

from textforge.encoders.base import Encoder
from textforge.errors import Advice, TextforgeError, TextforgeWarning

ESCAPE = re.compile(r"\\(?:[nt\\]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
"""Text typed where a newline or the like is meant."""

_UNESCAPED = Advice(
    "escapes",
    "write the character itself where an escape was meant, '\\n' and not r'\\n'",
    "give --escapes where \\n is to be a newline",
)


def warn_of_unreachable(stops: Iterable[str], encoder: Encoder) -> None:
    """Warn, in the name of the first caller outside textforge, of each stop text that can never come."""
    for stop in stops:
        missing = find_missing_characters(stop, encoder)
        if missing:
            warnings.warn(_make_warning(stop, missing), stacklevel=_count_levels_to_caller())


def find_missing_characters(text: str, encoder: Encoder) -> str:
    """Return the characters of a text that no token shows, in order; none where the text may come.

    A text that is decoded from its own tokens may come, if none of them is one that is never generated. For any other,
    the text of each token is looked at, and that of one token twice over, for the characters that the encoder puts
    between tokens.
    """
    never = set(encoder.never_generated)
    try:
        ids = encoder.encode(text).tolist()
        if text in encoder.decode(ids) and never.isdisjoint(ids):
            return ""
    except TextforgeError:
        pass  # the vocabulary lacks something; the encoder need not say which characters
    ids = [id for id in range(encoder.vocabulary_size) if id != encoder.end_of_text and id not in never]
    shown = set("".join([encoder.token_text(id) for id in ids] + [encoder.decode([id, id]) for id in ids[:1]]))
    return "".join(dict.fromkeys(character for character in text if character not in shown))


def _make_warning(stop: str, missing: str) -> TextforgeWarning:
    lacks = ", ".join(repr(character) for character in missing[:3]) + (", …" if len(missing) > 3 else "")
    message = f"the stop text {stop!r} can never come, for the vocabulary lacks {lacks}: leave it out"
    return TextforgeWarning(message, ", or ", _UNESCAPED) if ESCAPE.search(stop) else TextforgeWarning(message)


def _count_levels_to_caller() -> int:
    """Return the `stacklevel` at which `warnings.warn`, called by our caller, names a frame outside textforge."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "textforge":
        level, frame = level + 1, frame.f_back
    return level
