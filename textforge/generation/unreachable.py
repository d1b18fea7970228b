"""Stop texts that can never come: a mistake that would pass in silence."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable

from textforge.encoders.base import Encoder
from textforge.errors import Advice, TextforgeError, TextforgeWarning

ESCAPE = re.compile(r"\\(?:[nt\\]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
"""What is typed where a newline or the like is meant."""

_UNESCAPED = Advice(
    "escapes",
    "write the character itself where an escape was meant, '\\n' and not r'\\n'",
    "give --escapes where \\n is to be a newline",
)


def warn_of_unreachable(stops: Iterable[str], encoder: Encoder) -> None:
    """Warn, in the name of the first caller outside textforge, of each stop text that can never come."""
    for stop in stops:
        missing = missing_characters(stop, encoder)
        if missing:
            warnings.warn(_warning(stop, missing), stacklevel=_levels_to_caller())


def missing_characters(text: str, encoder: Encoder) -> str:
    """Return the characters of a text that no token shows, in order; none where the text may come.

    A text that reads back from its own tokens may come. For any other, each token's text is looked at, and that of a
    token twice over, for what the encoder puts between tokens.
    """
    try:
        if text in encoder.decode(encoder.encode(text).tolist()):
            return ""
    except TextforgeError:
        pass  # it lacks something: which characters, the encoder need not say
    ids = [id for id in range(encoder.vocabulary_size) if id != encoder.end_of_text]
    shown = set("".join([encoder.token_text(id) for id in ids] + [encoder.decode([id, id]) for id in ids[:1]]))
    return "".join(dict.fromkeys(character for character in text if character not in shown))


def _warning(stop: str, missing: str) -> TextforgeWarning:
    lacks = ", ".join(repr(character) for character in missing[:3]) + (", …" if len(missing) > 3 else "")
    message = f"the stop text {stop!r} can never come, for the vocabulary lacks {lacks}: leave it out"
    return TextforgeWarning(message, ", or ", _UNESCAPED) if ESCAPE.search(stop) else TextforgeWarning(message)


def _levels_to_caller() -> int:
    """Return the `stacklevel` at which `warnings.warn`, called by our caller, names a frame outside textforge."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "textforge":
        level, frame = level + 1, frame.f_back
    return level
