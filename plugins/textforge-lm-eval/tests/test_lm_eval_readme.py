"""Every command and block of the README, run in order in one folder."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from followed import blocks, follow, run

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_readme_is_followed(tmp_path):
    from pydoc_data.topics import topics

    text = "\n\n".join(topics[name] for name in sorted(topics))
    (tmp_path / "book.txt").write_text(text[:60_000], encoding="utf-8")
    (tmp_path / "held-out.txt").write_text(text[60_000:70_000], encoding="utf-8")
    found = [block for block in blocks(README) if block.language]
    assert len(found) == 5
    for block in found:
        follow(block, tmp_path, functools.partial(run, folder=tmp_path))
