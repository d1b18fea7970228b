"""Every command and code block of the README, run in order in one folder, as a newcomer would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from support import corpus_path

ROOT = Path(__file__).parents[1]
NOT_HERE = ("make ", "pip install", "git clone", "cd ")
"""Commands that set up an environment; CI runs the two that matter."""


@attrs.frozen
class Block:
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
        found = re.match(r"# (\w+\.\w+)\n", self.text)
        return found.group(1) if found else None


def blocks(path: Path = ROOT / "README.md") -> list[Block]:
    pattern = re.compile(
        r"(?:<!-- needs (?P<needs>\S+)(?P<slow> slow)? -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
    )
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            found["language"], found["text"], text[: found.start()].count("\n") + 1, found["needs"], bool(found["slow"])
        )
        for found in pattern.finditer(text)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the README is followed: with a text of one's own."""
    from pydoc_data.topics import topics

    made = tmp_path_factory.mktemp("readme")
    made.joinpath("book.txt").write_text(
        "\n\n".join(topics[name] for name in sorted(topics))[:60_000], encoding="utf-8"
    )
    yield made
    shutil.rmtree(made)


def run(arguments: list[str] | str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        arguments,
        cwd=folder,
        shell=isinstance(arguments, str),
        env={**os.environ, "PATH": path, "TEXTFORGE_CACHE": str(folder)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"


def parameters() -> list[Any]:
    marks = {True: [pytest.mark.slow], False: []}
    return [pytest.param(block, marks=marks[block.slow], id=f"line{block.line}") for block in blocks()]


@pytest.mark.parametrize("block", parameters())
def test_block(block: Block, folder: Path) -> None:
    if block.needs:
        shutil.copy(corpus_path(block.needs), folder)
    if block.file_name:
        folder.joinpath(block.file_name).write_text(block.text, encoding="utf-8")
    elif block.language == "console":
        for command in block.commands:
            if not command.startswith(NOT_HERE):
                run(command, folder)
    elif block.language == "python":
        script = folder / "block.py"
        script.write_text(block.text, encoding="utf-8")
        run([sys.executable, str(script)], folder)
    else:
        assert block.language in ("text", "toml", "bibtex"), f"README line {block.line}: a block of unknown language"


def test_there_are_blocks_of_each_kind() -> None:
    found = blocks()
    assert sum(len(block.commands) for block in found) >= 10
    assert sum(block.language == "python" for block in found) >= 2
    fences = (ROOT / "README.md").read_text(encoding="utf-8").count("\n```")
    assert fences == 2 * len(found), "a block of the README was not recognised"


def test_the_text_from_nietzsche_is_long_enough_to_judge() -> None:
    found = blocks()
    places = [place for place, block in enumerate(found) if "generate nietzsche/" in block.text]
    assert len(places) == 1
    shown = found[places[0] + 1]
    assert shown.language == "text"
    assert len(shown.text) >= 400
    assert shown.text.startswith("it is ")


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in (ROOT / "README.md").read_text(encoding="utf-8")
