"""Tokens and prompts as a person sees them, short and with their spaces shown."""

from __future__ import annotations

from textforge.terminal import make_visible

__all__ = ["make_visible", "shorten", "show_token"]

_NAMED = {" ": "␣", "\n": "↵", "\t": "⇥"}
_LONGEST = 24


def show_token(text: str) -> str:
    r"""Return a token by itself, its spaces and newlines shown as well; shortened where it is long.

    >>> show_token(" the\n")
    '␣the↵'
    """
    shown = "".join(_NAMED.get(character, character) for character in make_visible(text[: _LONGEST + 1]))
    return shorten(shown, _LONGEST)


def shorten(text: str, longest: int) -> str:
    """Return the text, or its beginning where it is longer than so many characters.

    >>> shorten("textforge", 5)
    'text…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
