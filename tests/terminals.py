"""A real pseudo-terminal to run commands in, and what a terminal makes of the bytes it is sent."""

from __future__ import annotations

import io
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

needs_terminal = pytest.mark.skipif(os.name == "nt", reason="POSIX has pseudo-terminals")
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[^\[])")


def resize(terminal: int, columns: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def start_in_terminal(
    command: list[str], columns: int, environment: Mapping[str, str], **streams: Any
) -> tuple[int, subprocess.Popen[bytes]]:
    """Start a command with its output on a terminal; give our end of it, and the process."""
    import pty

    ours, theirs = pty.openpty()
    resize(theirs, columns)
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command,
        **{"stdin": theirs, "stdout": theirs, "stderr": theirs, **streams},
        env={**inherited, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    return ours, process


def read_all(terminal: int, watch: Callable[[bytes], None] = lambda _: None, seconds: float = 60) -> str:
    """Read until the command ends, telling `watch` what was read so far."""
    found, deadline = io.BytesIO(), time.monotonic() + seconds
    while select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end was closed
            break
        if not data:
            break
        found.write(data)
        watch(found.getvalue())
    os.close(terminal)
    return found.getvalue().decode("utf-8").replace("\r\n", "\n")


def run_in_terminal(*arguments: Any, columns: int = 80, **environment: str) -> str:
    """Run textforge in a terminal of so many columns; give all that it sent to it."""
    command = [sys.executable, "-m", "textforge", *map(str, arguments)]
    terminal, process = start_in_terminal(command, columns, environment)
    try:
        written = read_all(terminal)
    finally:
        process.send_signal(signal.SIGKILL) if process.poll() is None else None
        process.wait()
    return written


class Reflowing:
    """A terminal that wraps its lines anew when it is resized, as most do today.

    It knows what a bar on the last line needs: to begin a line anew, to go up, and to erase a row.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._rows = [""]
        self._goes_on = [False]
        """The rows whose line goes on in the next one."""
        self._row = self._column = 0

    def rows(self) -> list[str]:
        """Return what is seen."""
        return list(self._rows)

    def resize(self, columns: int) -> None:
        """Become narrower or wider; the cursor stays behind the character that it stood behind."""
        lines, cursor_line, cursor_place, begun = [""], 0, 0, 0
        for row, (text, goes_on) in enumerate(zip(self._rows, self._goes_on, strict=True)):
            if row == self._row:
                cursor_line, cursor_place = len(lines) - 1, len(lines[-1]) + self._column
            lines[-1] += text
            if not goes_on and row < len(self._rows) - 1:
                lines.append("")
        self.columns, self._rows, self._goes_on = columns, [], []
        for number, line in enumerate(lines):
            pieces = [line[at : at + columns] for at in range(0, max(1, len(line)), columns)]
            if number == cursor_line:
                begun = min(cursor_place // columns, len(pieces) - 1)
                self._row, self._column = len(self._rows) + begun, cursor_place - begun * columns
            self._rows += pieces
            self._goes_on += [True] * (len(pieces) - 1) + [False]

    def write(self, text: str) -> None:
        """Take what a program sends."""
        for sequence, character in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z])|([^\x1b])", text, re.S):
            if sequence:
                self._obey(sequence[2:])
            elif character == "\r":
                self._column = 0
            elif character == "\n":
                self._go_down()
            else:
                self._show(character)

    def _obey(self, sequence: str) -> None:
        if sequence.endswith("A"):
            self._row = max(0, self._row - int(sequence[:-1] or 1))
        elif sequence == "2K":
            self._rows[self._row], self._goes_on[self._row] = "", False
        else:
            assert sequence[-1] in "mhl", f"the terminal of the tests doesn't know {sequence!r}"

    def _go_down(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._rows):
            self._rows.append("")
            self._goes_on.append(False)

    def _show(self, character: str) -> None:
        if self._column == self.columns:
            self._goes_on[self._row] = True
            self._go_down()
        row = self._rows[self._row].ljust(self._column)
        self._rows[self._row] = row[: self._column] + character + row[self._column + 1 :]
        self._column += 1
