"""Every example is run, as its own first lines say."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from environments import Environment

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


PLUGINS = {"csv": "csv:reviews.csv", "shift": "shift", "infini": "infini", "p-less": "p-less"}
"""The components that the examples bring, by entry point, each with what it is checked as."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Runs a command where the examples are installed, in a folder with some reviews."""
    folder = tmp_path_factory.mktemp("installed")
    environment = Environment(folder / "venv")
    environment.run(["pip", "install", str(EXAMPLES)], folder)
    folder.joinpath("reviews.csv").write_text(
        "stars,text\n" + '5,"Good, and\nlong. The end."\n1,"The end is bad."\n' * 60, encoding="utf-8"
    )
    return functools.partial(environment.run, folder=folder)


def test_the_plugins_are_known_once_they_are_installed(installed: Callable[[str], str]) -> None:
    shown = installed("textforge plugins")
    for kind, name in (("corpus", "csv"), ("encoder", "shift"), ("backend", "infini"), ("sampler", "p-less")):
        assert f"textforge-examples ({name}) 0.1.0\n    {kind:<8} {name}\n" in shown


@pytest.mark.parametrize("spec", PLUGINS.values())
def test_the_plugins_keep_their_contract(installed: Callable[[str], str], spec: str) -> None:
    assert ", 0 failed" in installed(f"textforge plugins check {spec}")


def test_the_plugins_work_together(installed: Callable[[str], str]) -> None:
    installed("textforge train csv:reviews.csv --encoder shift --backend infini --seed 1 -o model")
    text = installed("textforge generate model --prompt 'Good' --sampler p-less --seed 1 --max-tokens 12")
    assert text.startswith(", and\nlong. ")


def test_a_plugin_is_short() -> None:
    for name in PLUGINS:
        lines = (EXAMPLES / f"textforge_{name.replace('-', '_')}.py").read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if line.strip()]) < 40


def test_p_less(names: Path) -> None:
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_p_less.py")])
    kept = np.isfinite(
        plugins.sampler("p-less")(np.log([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [1 / 3, 1 / 3, 1 / 3]]), None)
    )
    assert kept.tolist() == [[True, False, False], [True, True, False], [True, True, True]]  # .38, .36, .3333
    generator = textforge.train(names, backend="ngram:order=3", seed=1, plugins=plugins)
    assert generator.generate("e", samplers="p-less", seed=1)


def test_shift() -> None:
    encoder = textforge.Plugins([str(EXAMPLES / "textforge_shift.py")]).encoder("shift").fit(["To be or Not"])
    assert encoder.vocabulary == " benort\ufdd1"
    assert encoder.decode(encoder.encode("Not to Be")) == "Not to Be"


def test_infini() -> None:
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_infini.py")])
    model = plugins.backend("infini").load(textforge.SavedModel("infini", {}, 3, {"text": np.array([0, 1] * 20 + [2])}))
    counts = np.exp(model.forward(np.array([[1, 0, 1]]), model.start(1), last_only=True)).round(2).tolist()
    # After 1, 0, 1 came 0 at the places 16, 18, … 38, and 2 at 40; the first 16 tokens have too little before them.
    assert counts == [[[pytest.approx(12.01), pytest.approx(0.01), pytest.approx(1.01)]]]


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text('stars,text\n5,"good, and\nlong"\n1,bad\n', encoding="utf-8")
    corpus = textforge.Plugins([str(EXAMPLES / "textforge_csv.py")]).corpus(f"csv:{tmp_path / 'reviews.csv'}")
    assert "".join(corpus.read()).split(textforge.END_OF_TEXT) == ["good, and\nlong", "bad", ""]
