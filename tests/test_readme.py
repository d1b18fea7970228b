"""Every command and code block of the README, run in order in one folder, as a newcomer would."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from followed import Block, blocks, follow, parameters, run
from support import corpus_path

README = Path(__file__).parents[1] / "README.md"
NOT_HERE = ("make ", "pip install", ". .venv")
"""Commands that set up an environment; `test_install.py` follows them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the README is followed: with a text of one's own, and one held out."""
    from pydoc_data.topics import topics

    made = tmp_path_factory.mktemp("readme")
    text = "\n\n".join(topics[name] for name in sorted(topics))[:80_000]
    made.joinpath("book.txt").write_text(text[:60_000], encoding="utf-8")
    made.joinpath("held-out.txt").write_text(text[60_000:], encoding="utf-8")
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("block", parameters(README))
def test_block(block: Block, folder: Path) -> None:
    if block.needs:
        shutil.copy(corpus_path(block.needs), folder)
    follow(block, folder, functools.partial(run, folder=folder), left_out=NOT_HERE)


def test_there_are_blocks_of_each_kind() -> None:
    found = blocks(README)
    assert sum(len(block.commands) for block in found) >= 10
    assert sum(block.language == "python" for block in found) >= 2


def test_the_text_from_nietzsche_is_long_enough_to_judge() -> None:
    found = blocks(README)
    places = [place for place, block in enumerate(found) if "generate nietzsche/" in block.text]
    assert len(places) == 1
    shown = found[places[0] + 1]
    assert shown.language == "text"
    assert len(shown.text) >= 400
    assert shown.text.startswith("it is ")


def test_nothing_is_left_to_fill_in() -> None:
    assert "@@" not in README.read_text(encoding="utf-8")
