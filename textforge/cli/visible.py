"""Tokens and prompts, shown shortly and with their spaces."""

from __future__ import annotations

from textforge.terminal import visible

__all__ = ["shortened", "visible", "visible_token"]

_NAMED = {" ": "␣", "\n": "↵", "\t": "⇥"}
_LONGEST = 24


def visible_token(text: str) -> str:
    r"""Return a token by itself, its spaces and newlines shown as well; shortened where it is long.

    >>> visible_token(" the\n")
    '␣the↵'
    """
    shown = "".join(_NAMED.get(character, character) for character in visible(text[: _LONGEST + 1]))
    return shortened(shown, _LONGEST)


def shortened(text: str, longest: int) -> str:
    """Return the text's beginning, where it is longer than so many characters.

    >>> shortened("textforge", 5)
    'text…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
