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
    (folder / "index").mkdir(parents=True)
    (folder / "nietzsche.txt").write_bytes(b"x" * 1500)
    (folder / "index" / "a.bin").write_bytes(b"xy")


def test_it_lists_files_with_their_sizes(cache: Path) -> None:
    assert run().stderr == f"0 files, 0 bytes in {cache}\n"
    fill(cache)
    result = run()
    assert result.stdout == "              2  index/a.bin\n          1,500  nietzsche.txt\n"
    assert result.stderr == f"2 files, 1,502 bytes in {cache}\n"
    assert json.loads(run("--json").stdout)["files"] == {"index/a.bin": 2, "nietzsche.txt": 1500}


def test_it_clears_all_or_what_is_named(cache: Path) -> None:
    fill(cache)
    assert run("index", "--clear").stderr == f"1 file, 2 bytes deleted from {cache}\n"
    assert [path.name for path in cache.iterdir()] == ["nietzsche.txt"], "the empty folder goes too"
    assert run("--clear").exit_code == 0
    assert list(cache.iterdir()) == []


def test_a_name_that_is_not_there(cache: Path) -> None:
    fill(cache)
    result = run("nietzsche.tx", "--clear")
    assert result.exit_code == 1
    assert result.stderr == f"Error: the cache {str(cache)!r} has no 'nietzsche.tx'; did you mean 'nietzsche.txt'?\n"
    assert (cache / "nietzsche.txt").exists()
