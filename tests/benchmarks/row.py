"""A row of the benchmarks' table."""

from __future__ import annotations

import attrs


@attrs.frozen
class Row:
    """A figure, what was measured beside it in the same run, and what it should be."""

    what: str
    figure: str
    beside: str
    aim: str
    reached: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.figure} | {self.beside} | {self.aim}{'' if self.reached else ': **missed**'} |"
