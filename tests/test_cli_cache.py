"""`textforge cache`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from textforge.cli import main


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TEXTFORGE_CACHE", str(folder))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cache", *arguments])


def fill(folder: Path) -> None:
    """Put two files of textforge's there, and one that somebody keeps in the same folder."""
    (folder / "indexes").mkdir(parents=True)
    (folder / "0123456789abcdef-book.txt").write_bytes(b"x" * 1500)
    (folder / "indexes" / "a.index").write_bytes(b"xy")
    (folder / "thesis.txt").write_bytes(b"mine")


def test_it_lists_files_with_their_sizes(cache: Path) -> None:
    assert run().stderr == f"0 files, 0 bytes in {cache}\n"
    fill(cache)
    result = run()
    assert result.stdout == "          1,500  0123456789abcdef-book.txt\n              2  indexes/a.index\n"
    assert result.stderr == f"2 files, 1,502 bytes in {cache}\n"
    assert json.loads(run("--json", "indexes").stdout)["files"] == {"indexes/a.index": 2}


def test_it_clears_what_is_named_or_all_that_is_its_own(cache: Path) -> None:
    fill(cache)
    assert run("indexes", "--clear").stderr == f"1 file, 2 bytes deleted from {cache}\n"
    assert not (cache / "indexes").exists(), "the empty folder goes too"
    assert run("--clear").exit_code == 0
    assert [path.name for path in cache.iterdir()] == ["thesis.txt"]
    assert run("thesis.txt", "--clear").exit_code == 0
    assert list(cache.iterdir()) == []


def test_the_system_s_own_folder_is_textforge_s_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cache)
    monkeypatch.delenv("TEXTFORGE_CACHE")
    monkeypatch.setattr("textforge.corpora.cache.cache_folder", lambda: cache)
    assert run("--clear").exit_code == 0
    assert list(cache.iterdir()) == []


def test_a_name_that_is_not_there(cache: Path) -> None:
    fill(cache)
    result = run("thesis.tx", "--clear")
    assert result.exit_code == 1
    assert result.stderr == f"Error: the cache {str(cache)!r} has no 'thesis.tx'; did you mean 'thesis.txt'?\n"
    assert (cache / "thesis.txt").exists()
