"""Every command and code block of the README, run in order in one folder, as a newcomer would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
    condition: str

    @property
    def commands(self) -> list[str]:
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]

    @property
    def file_name(self) -> str | None:
        found = re.match(r"# (\w+\.\w+)\n", self.text)
        return found.group(1) if found else None


def blocks(path: Path = ROOT / "README.md") -> list[Block]:
    pattern = re.compile(r"(?:<!-- needs (?P<needs>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
    text = path.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], text[: found.start()].count("\n") + 1, found["needs"] or "")
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
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"line{block.line}")
def test_block(block: Block, folder: Path) -> None:
    if block.condition:
        shutil.copy(corpus_path(block.condition), folder)
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
    assert sum(block.language == "python" for block in found) >= 3
    fences = (ROOT / "README.md").read_text(encoding="utf-8").count("\n```")
    assert fences == 2 * len(found), "a block of the README was not recognised"
