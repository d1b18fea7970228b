"""Every example is run, as its own first lines say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import textforge

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = "emma\nolivia\nava\nisabella\nsophia\nmia\namelia\ncharlotte\nevelyn\nharper\nluna\nella\n" * 5


def run(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text(NAMES, encoding="utf-8")
    return path


def test_each_example_is_in_the_list_and_has_a_test() -> None:
    listed = re.findall(r"^\| `(\w+\.py)`", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.py"))
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(name in here for name in listed)


def test_names(names: Path) -> None:
    assert len(run(EXAMPLES / "names.py", names).splitlines()) > 20


def test_many_threads(names: Path, tmp_path: Path) -> None:
    textforge.train(names, backend="ngram:order=3", seed=1, output=tmp_path / "m")
    first = run(EXAMPLES / "many_threads.py", tmp_path / "m")
    assert len(first.splitlines()) == 8
    assert run(EXAMPLES / "many_threads.py", tmp_path / "m") == first


def test_min_p(names: Path, tmp_path: Path) -> None:
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_min_p.py")])
    generator = textforge.train(names, backend="ngram:order=3", seed=1, plugins=plugins)
    assert generator.generate("e", samplers="min-p:1", seed=1) == generator.generate("e", samplers="greedy", seed=1)


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text('stars,text\n5,"good, and\nlong"\n1,bad\n', encoding="utf-8")
    corpus = textforge.Plugins([str(EXAMPLES / "textforge_csv.py")]).corpus(f"csv:{tmp_path / 'reviews.csv'}")
    assert "".join(corpus.read()).split(textforge.END_OF_TEXT) == ["good, and\nlong", "bad", ""]
