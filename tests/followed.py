"""Documents that are followed: their commands and code, run in order, as a newcomer would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest


@attrs.frozen
class Block:
    """A block between fences."""

    language: str
    text: str
    line: int
    needs: str | None
    """A corpus that must be at hand."""
    slow: bool

    @property
    def commands(self) -> list[str]:
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]

    @property
    def file_name(self) -> str | None:
        """The file that it is, by its first line."""
        found = re.match(r"# ([\w/-]+\.\w+)\n", self.text)
        return found.group(1) if found else None


def blocks(path: Path) -> list[Block]:
    pattern = re.compile(
        r"(?:<!-- needs (?P<needs>\S+)(?P<slow> slow)? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
    )
    text = path.read_text(encoding="utf-8")
    found = [
        Block(
            match["language"], match["text"], text[: match.start()].count("\n") + 1, match["needs"], bool(match["slow"])
        )
        for match in pattern.finditer(text)
    ]
    assert text.count("\n```") == 2 * len(found), f"a block of {path} was not recognised"
    return found


def parameters(path: Path) -> list[Any]:
    marks = {True: [pytest.mark.slow], False: []}
    return [pytest.param(block, marks=marks[block.slow], id=f"line{block.line}") for block in blocks(path)]


def follow(block: Block, folder: Path, run: Callable[[str], Any], *, left_out: Sequence[str] = ()) -> None:
    """Write the file that a block is, and run what it has; commands that begin as `left_out` says are not run."""
    if block.file_name:
        path = folder / block.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if block.language == "console":
        assert block.commands, f"line {block.line}: a console block without a command"
        for command in block.commands:
            if not command.startswith(tuple(left_out)):
                run(command)
    elif block.language == "python" and block.file_name is None:
        (folder / "block.py").write_text(block.text, encoding="utf-8")
        run("python block.py")
    else:
        assert block.language in ("python", "text", "toml", "bibtex"), f"line {block.line}: a block of unknown language"


def run(command: str, folder: Path) -> None:
    """Run a command in a folder, as a shell there does that has this environment's programs; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        shell=True,
        env={**os.environ, "PATH": path, "TEXTFORGE_CACHE": str(folder)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
