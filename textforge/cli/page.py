"""The parts of a page, one HTML file that needs no other and runs no script: its head, its shades and its texts."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from textforge import __version__
from textforge.cli.visible import make_visible

SHADES = (0.01, 0.03, 0.1, 0.2, 0.5)
"""The probabilities between the shades, the darkest first."""


def make_head(title: str) -> str:
    """Return the beginning of a page, up to its body's first element."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="textforge {__version__}">
<title>{escape_text(title)}</title>
<style>
{files("textforge.cli").joinpath("compare.css").read_text(encoding="utf-8")}</style>
</head>
<body>
"""


def make_facts(facts: Mapping[str, object]) -> str:
    """Return the list of what is known of the page: the model, the seed."""
    shown = "".join(
        f"<div><dt>{escape_text(name)}</dt><dd>{escape_text(value)}</dd></div>" for name, value in facts.items()
    )
    return f'<dl class="facts">{shown}</dl>'


def make_scale() -> str:
    """Return the legend of the shades, the likeliest first."""
    names = [f"{low:.0%}–{high:.0%}" for low, high in itertools.pairwise(SHADES)]
    names = [f"below {SHADES[0]:.0%}", *names, f"above {SHADES[-1]:.0%}"]
    shades = "".join(
        f'<span class="s m{len(SHADES) - place}">{name}</span>' for place, name in reversed(list(enumerate(names)))
    )
    return f'<span class="scale">{shades}</span>'


def get_shade(probability: float) -> int:
    """Return the number of a probability's shade: 0 for what is likely, up to 5.

    >>> get_shade(0.9), get_shade(0.15), get_shade(1e-9)
    (0, 2, 5)
    """
    return len(SHADES) - bisect_right(SHADES, probability)


def escape_text(value: object) -> str:
    """Return text for HTML, to the letter but for what would act instead of showing."""
    return escape(make_visible(str(value)), quote=True)
