"""Every example is run, as its own first lines say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import corpus_path

import textforge

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = "emma\nolivia\nava\nisabella\nsophia\nmia\namelia\ncharlotte\nevelyn\nharper\nluna\nella\n" * 5


def run_process(*arguments: object, timeout: float = 60, **environment: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, "PYTHONUTF8": "1", **{name: str(value) for name, value in environment.items()}},
    )


def run(*arguments: object, timeout: float = 60, **environment: object) -> str:
    done = run_process(*arguments, timeout=timeout, **environment)
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


BOOK = EXAMPLES / "deep_learning_with_python.py"
BOOK_SAMPLES = re.compile(
    r'--- After epoch (\d+), from "(.{60})"\n((?:------ temperature:[\d.]+\n.{400}\n){4})epoch (\d+): loss (\d\.\d+), ',
    re.DOTALL,
)


def figures(text: str) -> list[str]:
    """What the notebook's own way to count gives, as the example prints it."""
    sequences = [text[start : start + 60] for start in range(0, len(text) - 60, 3)]
    return [
        f"Corpus length: {len(text)}",
        f"Number of sequences: {len(sequences)}",
        f"Unique characters: {len(set(text))}",
    ]


def test_deep_learning_with_python(tmp_path: Path) -> None:
    text = "Ænesidemus asks: WHAT is a café, après tout? " * 9
    (tmp_path / "small.txt").write_text(text, encoding="utf-8")
    arguments = ("--text", tmp_path / "small.txt", "--epochs", 2, "--seed", 1, "--encoding", "latin-1")
    printed = run(BOOK, *arguments, "--output", tmp_path / "model")
    as_read = text.encode().decode("latin-1").lower()
    assert printed.splitlines()[:3] == figures(as_read)
    epochs = BOOK_SAMPLES.findall(printed)
    assert [(after, told) for after, _, _, told, _ in epochs] == [("1", "1"), ("2", "2")]
    assert all(snippet in as_read for _, snippet, *_ in epochs)
    for _, _, samples, *_ in epochs:
        assert re.findall(r"^------ (.*)$", samples, re.M) == [f"temperature:{t}" for t in (0.2, 0.5, 1.0, 1.2)]
    generator = textforge.load(tmp_path / "model")
    assert generator.model.window == 60
    shapes = {name: array.shape for name, array in generator.model.save().arrays.items()}
    assert shapes["lstm.0.input_weight"] == (512, len(set(as_read)))  # one-hot


def test_deep_learning_with_python_in_one_line_where_it_fails(tmp_path: Path) -> None:
    (tmp_path / "nietzsche.txt").write_text("something else")
    done = run_process(BOOK, "--epochs", 1, TEXTFORGE_CACHE=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: .*nietzsche.txt' is not the file published at http.*\n", done.stderr)


@pytest.mark.slow
def test_deep_learning_with_python_on_its_own_text() -> None:
    folder = corpus_path("nietzsche.txt").parent
    arguments = ("--epochs", 1, "--seed", 1, "--encoding", "latin-1")
    printed = run(BOOK, *arguments, timeout=1200, TEXTFORGE_CACHE=folder)
    assert printed.splitlines()[:3] == [
        "Corpus length: 600901",
        "Number of sequences: 200281",
        "Unique characters: 59",
    ]
    [(_, _, _, _, loss)] = BOOK_SAMPLES.findall(printed)
    assert 1.9 < float(loss) < 2.3
