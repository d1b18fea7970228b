"""Scores in the terminal: a line a text, and a text with its surprising places shaded."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from textforge.cli.visible import make_visible, shorten
from textforge.terminal import Styled, is_plain, is_terminal

if TYPE_CHECKING:
    from textforge.cli.score_pieces import ScoredPiece
    from textforge.evaluation.score import Score

HEAD = "log-likelihood  perplexity  bits/character  text\n"
SHADES = ((0.01, "white on red"), (0.03, "black on yellow"), (0.1, "underline"))
"""Probabilities, and the style of what is less likely, the least likely first; all show on a space too."""
LEGEND = (("below 10%", "underline"), ("below 3%", "black on yellow"), ("below 1%", "white on red"))
LONGEST = 2000
"""Tokens of a text that are shown unless all of it is asked for."""
_LONGEST_TEXT = 60
_SIGNS = str.maketrans({"\n": "↵", "\t": "⇥"})


def is_shaded() -> bool:
    """Return whether a person watches standard output who wants more than text."""
    return is_terminal(sys.stdout) and not is_plain()


def write_row(score: Score) -> str:
    """Return the line of a text: its figures, a dash for those there are none of, and its beginning."""
    text = shorten(make_visible(score.text[: _LONGEST_TEXT + 1].translate(_SIGNS)), _LONGEST_TEXT)
    figures = (
        f"{score.log_likelihood:>14.4f}",
        _write(score.perplexity, 10, 3),
        _write(score.bits_per_character, 14, 4),
    )
    return f"{'  '.join(figures)}  {text}\n"


def _write(value: float | None, width: int, digits: int) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


def shade(pieces: Iterable[ScoredPiece], *, legend: bool) -> str:
    """Return the text of these pieces, each in the style of its probability, with a legend behind it if asked for."""
    from rich.console import Console
    from rich.text import Text

    shown = Text()
    for piece in pieces:
        shown.append(make_visible(piece.text.expandtabs(4)), get_style(piece.log_probability))
    if legend:
        shown.append("\n\nless likely than the rest: ", "dim")
        for place, (name, style) in enumerate(LEGEND):
            shown.append(", " if place else "", "dim").append(name, style)
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, legacy_windows=False, highlight=False, soft_wrap=True).print(shown)
    return Styled(stream.getvalue())


def get_style(log_probability: float | None) -> str:
    """Return the style of a piece: none for what is likely, dim for what doesn't count.

    >>> get_style(0.0), get_style(-4.0), get_style(None)
    ('', 'black on yellow', 'dim')
    """
    if log_probability is None:
        return "dim"
    return next((style for most, style in SHADES if log_probability < math.log(most)), "")
