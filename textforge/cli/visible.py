"""Text of a model, shown where control characters would do harm."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for the tab and the newline
    "\u202a-\u202e\u2066-\u2069"  # those that turn the direction of all that follows
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # what is no character, and can't be written
)
_NAMED = {" ": "␣", "\n": "↵", "\t": "⇥"}
_LONGEST = 24


def visible(text: str) -> str:
    r"""The text with the code in the place of each character that would act instead of showing.

    >>> visible("a\x1b[1mb")
    'a⟨U+001B⟩[1mb'
    """
    return _HIDDEN.sub(_sign, text)


def visible_token(text: str) -> str:
    r"""A token by itself, its spaces and newlines shown as well; shortened where it is long.

    >>> visible_token(" the\n")
    '␣the↵'
    """
    shown = "".join(_NAMED.get(character, character) for character in visible(text[: _LONGEST + 1]))
    return shortened(shown, _LONGEST)


def shortened(text: str, longest: int) -> str:
    """The text's beginning, where it is longer than so many characters.

    >>> shortened("textforge", 5)
    'text…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _sign(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"
