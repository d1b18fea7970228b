"""The bar of a training run, on the terminal's last line."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.segment import ControlType

BAR_WIDTH = 16


class ProgressBar:
    """A bar with a text behind it, which moves while somebody watches; what is printed meanwhile stands above it.

    >>> bar = ProgressBar(Console(), "starting")
    >>> bar.update(["epoch 0.50", "loss 1.750"], "", completed=6, total=12)
    >>> bar.stop()
    """

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        columns = (BarColumn(bar_width=BAR_WIDTH), TextColumn("{task.description}", markup=False))
        self._progress = RichProgress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(text, total=None)
        self._progress.start()
        self._narrowing = _Narrowing(console, BAR_WIDTH + 1 + cell_len(text))
        console.push_render_hook(self._narrowing)

    def update(self, parts: Sequence[str], first_to_go: str, completed: int, total: int | None) -> None:
        """Show the parts that fit, as `fit` has them."""
        text = fit(parts, self._console.width - BAR_WIDTH - 2, first_to_go)
        self._progress.update(self._task, description=text, completed=completed, total=total)
        self._narrowing.cells = BAR_WIDTH + 1 + cell_len(text)

    def stop(self) -> None:
        """Take the bar away."""
        self._console.pop_render_hook()  # ours: rich takes its own away after it
        self._progress.stop()


def fit(parts: Sequence[str], width: int, first_to_go: str = "") -> str:
    """Return the parts that fit into the width, two spaces between them; `first_to_go` and then the last are left out.

    >>> parts = ["epoch 1", "12,345 tokens/s", "12.3 s"]
    >>> fit(parts, 34), fit(parts, 31, "12,345 tokens/s"), fit(parts, 0)
    ('epoch 1  12,345 tokens/s  12.3 s', 'epoch 1  12.3 s', 'epoch 1')
    """
    kept = list(parts)
    while len(kept) > 1 and cell_len("  ".join(kept)) > width:
        kept.remove(first_to_go if first_to_go in kept[1:] else kept[-1])
    return "  ".join(kept)


class _Narrowing(RenderHook):
    """A hook that erases the lines which a terminal made of the bar's one when it became narrower.

    Rich erases one line, as it wrote one; a terminal that wraps its lines anew has several then.
    """

    def __init__(self, console: Console, cells: int) -> None:
        self._console = console
        self.cells = cells
        """Cells of the bar's line when it will be drawn next."""
        self._drawn = min(cells, console.width)
        """Cells of the line as it stands on the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put before what is drawn the controls that erase the rest of what was."""
        width = max(1, self._console.width)
        above = -(-self._drawn // width) - 1
        self._drawn = min(self.cells, width)
        if above <= 0 or not wraps_anew():
            return renderables
        erase_and_go_up = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * above
        return [Control(*erase_and_go_up), *renderables]


def wraps_anew() -> bool:
    """Return whether the terminal wraps lines anew when it is resized: xterm, screen and the Linux console cut them."""
    name = os.environ.get("TERM", "")
    cuts = "XTERM_VERSION" in os.environ or name == "linux" or (name.startswith("screen") and "TMUX" not in os.environ)
    return not cuts
