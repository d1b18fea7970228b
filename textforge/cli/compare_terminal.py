"""Several texts in the terminal: side by side where there is room, else one under another."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textforge.terminal import Styled, is_plain, is_terminal, make_visible

if TYPE_CHECKING:
    from rich.text import Text

    from textforge.library.comparing import ComparedText

NARROWEST = 32
"""Characters a column has at least."""
GAP = 3


def terminal_width() -> int | None:
    """Return the characters of a line, where a person watches standard output."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def lay_out(texts: Sequence[ComparedText], prompt: str, width: int | None) -> Iterator[str]:
    """Yield the text to write: columns where two of them fit into a line of `width`, once all texts are made.

    Else, and where nobody watches, yield one text under another, as they are made, to the letter.
    """
    columns = 1 if width is None else _count_columns(len(texts), width)
    if width is None or columns == 1:
        yield from _stack(texts, prompt)
        return
    _write(texts)
    for start in range(0, len(texts), columns):
        yield Styled(_put_side_by_side(texts[start : start + columns], prompt, width, columns))


def _write(texts: Sequence[ComparedText]) -> None:
    """Write all texts, saying on standard error which one it is at: a large model takes its time."""
    from rich.text import Text

    from textforge.training.console import plain_console

    console = plain_console()
    with contextlib.nullcontext() if is_plain() else console.status("") as status:
        for place, text in enumerate(texts, 1):
            if status:
                status.update(Text(make_visible(f"{place} of {len(texts)}: {text.chain}")))
            for _ in text.run():
                pass


def _count_columns(count: int, width: int) -> int:
    """Return the number of columns side by side, the rows as equal as can be.

    >>> _count_columns(4, 80), _count_columns(4, 110), _count_columns(4, 200), _count_columns(4, 66)
    (2, 2, 4, 1)
    """
    fitting = max(1, (width + GAP) // (NARROWEST + GAP))
    rows = -(-count // fitting)
    return -(-count // rows)


def percent(share: float | None) -> str:
    """Return a share as it is shown; a dash for none."""
    return "–" if share is None else f"{share:.1%}"


def bits(entropy: float | None) -> str:
    """Return an entropy as it is shown; a dash for none."""
    return "–" if entropy is None else f"{entropy:.2f} bits"


def _stack(texts: Sequence[ComparedText], prompt: str) -> Iterator[str]:
    for text in texts:
        yield f"--- {text.chain} ---\n{prompt}"
        yield from text.run()
        yield (
            f"\n[entropy {bits(text.entropy)}, before the chain {bits(text.model_entropy)}; "
            f"repetition {percent(text.repetition)}]\n\n"
        )


def _put_side_by_side(texts: Sequence[ComparedText], prompt: str, width: int, columns: int) -> str:
    """Return one row of columns."""
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for _ in range(columns):
        table.add_column(width=(width + GAP) // columns - GAP, overflow="fold")
    table.add_row(*(_head(text) for text in texts))
    table.add_row(*(_body(text, prompt) for text in texts))
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=not is_plain(), legacy_windows=False, highlight=False)
    console.print(table)
    lines = [line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n")]
    return "\n".join(lines) + "\n\n"


def _head(text: ComparedText) -> Text:
    from rich.text import Text

    entropy = f"entropy {bits(text.entropy)}, model’s {bits(text.model_entropy).removesuffix(' bits')}"
    figures = f"{entropy}\nrepetition {percent(text.repetition)}\n"
    return Text.assemble((make_visible(text.chain), "bold"), "\n", (figures, "cyan"))


def _body(text: ComparedText, prompt: str) -> Text:
    from rich.text import Text

    end = (" ∎", "dim") if text.ended else ""
    return Text.assemble((_clean(prompt), "dim"), _clean(text.text), end)


def _clean(text: str) -> str:
    return make_visible(text.expandtabs(4))
