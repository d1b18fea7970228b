"""The character between the columns of a table, found by its first rows."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "bar": "|"}
"""The characters that are tried, by the names that notes give them."""


def read_rows(lines: Iterable[str], delimiter: str, *, quotes: bool, strict: bool = False) -> Reader:
    """Return the reader of a table's rows; unless `quotes`, quotation marks are text."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=strict)


def find_delimiter(lines: Sequence[str], *, quotes: bool = True) -> str:
    r"""Return the delimiter by which the first lines of a table have as many columns as the first, and more than one.

    Where several have it is the one with most columns, and a comma where none has.

    >>> find_delimiter(["stars;text\n", "5;Good, and long.\n"])
    ';'
    """
    return max(DELIMITERS.values(), key=lambda delimiter: _rate(lines, delimiter, quotes))


def _rate(lines: Sequence[str], delimiter: str, quotes: bool) -> tuple[float, int]:
    widths = [len(row) for row in _read_sample(lines, delimiter, quotes)]
    if not widths or widths[0] == 1:
        return 0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def find_text_columns(lines: Sequence[str], delimiter: str, *, quotes: bool) -> list[str]:
    r"""Return the names of the columns that have more than numbers, by a table's first lines.

    >>> find_text_columns(["stars,body\n", "5,Good.\n"], ",", quotes=True)
    ['body']
    """
    rows = list(_read_sample(lines, delimiter, quotes))
    columns = itertools.islice(itertools.zip_longest(*rows, fillvalue=""), len(rows[0]) if rows else 0)
    return [name for name, *values in columns if not all(_is_number(value) for value in values if value)]


def _read_sample(lines: Sequence[str], delimiter: str, quotes: bool) -> Iterator[list[str]]:
    """Yield the rows that are not empty, as far as they can be read."""
    with suppress(csv.Error):
        yield from (row for row in read_rows(lines, delimiter, quotes=quotes) if row)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
