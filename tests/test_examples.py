"""Every example is run, as its own first lines say."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest
from environments import Environment
from support import ModelMaker, corpus_path

import textforge
from textforge.backends.choose import load_model
from textforge.encoders.char import CharEncoder
from textforge.errors import ExportError, PluginError
from textforge.library.exporting import export

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = "emma\nolivia\nava\nisabella\nsophia\nmia\namelia\ncharlotte\nevelyn\nharper\nluna\nella\n" * 5


def run_process(*arguments: object, timeout: float = 600, **environment: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        env={**os.environ, "PYTHONUTF8": "1", **{name: str(value) for name, value in environment.items()}},
    )


def run(*arguments: object, timeout: float = 600, **environment: object) -> str:
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


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_that_needs_an_argument_says_which(path: Path) -> None:
    if "sys.argv" in path.read_text(encoding="utf-8"):
        pytest.fail(f"{path.name} reads sys.argv by itself: take argparse or click, which say how it is used")
    if "argparse" not in path.read_text(encoding="utf-8"):
        return
    done = run_process(path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: {path.name} ")
    assert "Traceback" not in done.stderr


def test_names(names: Path) -> None:
    assert len(run(EXAMPLES / "names.py", names).splitlines()) > 20


def test_vocabulary(names: Path, tmp_path: Path) -> None:
    textforge.train(names, architecture="ngram:order=3", seed=1, output=tmp_path / "m")
    plugin = ["-m", "textforge", "--plugin", EXAMPLES / "textforge_vocabulary.py"]
    listed = run(*plugin, "vocabulary", tmp_path / "m").splitlines()
    assert [line.partition("\t")[0] for line in listed] == [str(id) for id in range(len(set(NAMES)))]
    assert {json.loads(line.partition("\t")[2]) for line in listed} == set(NAMES)
    assert [
        line.partition("\t")[2] for line in run(*plugin, "vocabulary", tmp_path / "m", "--like", "l").splitlines()
    ] == ['"l"']
    assert "  vocabulary  List the tokens that a model knows.\n" in run(*plugin, "--help")


def test_many_threads(names: Path, tmp_path: Path) -> None:
    textforge.train(names, architecture="ngram:order=3", seed=1, output=tmp_path / "m")
    first = run(EXAMPLES / "many_threads.py", tmp_path / "m")
    assert len(first.splitlines()) == 8
    assert run(EXAMPLES / "many_threads.py", tmp_path / "m") == first


PLUGINS = {
    "csv": "table:reviews.csv",
    "shift": "shift",
    "infini": "--kind architecture infini",
    "p-less-norm": "p-less-norm",
}
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
    for kind, names in (
        ("corpus", "table"),
        ("encoder", "shift"),
        ("architecture", "infini"),
        ("sampler", "p-less-norm"),
        ("format", "npz"),
        ("report", "csv"),
        ("command", "vocabulary"),
    ):
        assert re.search(rf"^textforge-examples 0\.1\.0\n(    .*\n)*    {kind:<12} {names}\n", shown, re.M)
    assert re.search(r"^  vocabulary +From the plugin textforge-examples\.$", installed("textforge --help"), re.M)


@pytest.mark.parametrize("spec", PLUGINS.values())
def test_the_plugins_keep_their_contract(installed: Callable[[str], str], spec: str) -> None:
    assert ", 0 failed" in installed(f"textforge plugins check {spec}")


def test_the_plugins_work_together(installed: Callable[[str], str]) -> None:
    installed(
        "textforge train table:reviews.csv --encoder shift --architecture infini --seed 1 -o model "
        "--report csv:losses.csv"
    )
    text = installed("textforge generate model --prompt 'Good' --sampler p-less-norm --seed 1 --max-tokens 12")
    assert text.startswith(", and\nlong. ")


def test_a_plugin_is_short() -> None:
    for name in (*PLUGINS, "csv-report"):
        lines = (EXAMPLES / f"textforge_{name.replace('-', '_')}.py").read_text(encoding="utf-8").splitlines()
        most = 52 if name == "infini" else 40  # an architecture, and what computes it
        assert len([line for line in lines if line.strip()]) < most


def test_p_less_norm(names: Path) -> None:
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_p_less_norm.py")])
    kept = np.isfinite(
        plugins.sampler("p-less-norm")(np.log([[0.8, 0.15, 0.05], [0.5, 0.4, 0.1], [1 / 3, 1 / 3, 1 / 3]]), None)
    )
    assert kept.tolist() == [[True, False, False], [True, True, False], [True, True, True]]  # .4975, .13, 0
    generator = textforge.train(names, architecture="ngram:order=3", seed=1, plugins=plugins)
    assert generator.generate("e", samplers="p-less-norm", seed=1)


def test_shift() -> None:
    encoder = textforge.Plugins([str(EXAMPLES / "textforge_shift.py")]).encoder("shift").fit(["To be or Not"])
    assert encoder.vocabulary == " benort\ufdd1"
    assert encoder.decode(encoder.encode("Not to Be")) == "Not to Be"


def test_infini() -> None:
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_infini.py")])
    saved = textforge.SavedModel("infini", {}, 3, {"text": np.array([0, 1] * 20 + [2])})
    model = load_model(plugins, plugins.backend("numpy"), saved)
    counts = np.exp(model.forward(np.array([[1, 0, 1]]), model.start(1), last_only=True)).round(2).tolist()
    # After 1, 0, 1 came 0 at the places 16, 18, … 38, and 2 at 40; the first 16 tokens have too little before them.
    assert counts == [[[pytest.approx(12.01), pytest.approx(0.01), pytest.approx(1.01)]]]


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text('stars,text\n5,"good, and\nlong"\n1,bad\n', encoding="utf-8")
    corpus = textforge.Plugins([str(EXAMPLES / "textforge_csv.py")]).corpus(f"table:{tmp_path / 'reviews.csv'}")
    assert "".join(corpus.read()).split(textforge.END_OF_TEXT) == ["good, and\nlong", "bad", ""]


def test_csv_report(tmp_path: Path, names: Path) -> None:
    path = tmp_path / "losses.csv"
    plugins = textforge.Plugins([str(EXAMPLES / "textforge_csv_report.py"), bigram_plugin.__file__])
    settings: Any = {"backend": "bigram", "batch_size": 2, "sequence_length": 10, "seed": 1, "plugins": plugins}
    textforge.train(names, report=f"csv:{path}", epochs=3, **settings)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == [1, 2, 3]
    assert {row["best"] for row in rows} <= {"True", "False"}
    enough = float(rows[0]["validation_loss"]) + 1e-9
    textforge.train(names, report=f"csv:path={path},enough={enough!r}", epochs=3, **settings)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    with pytest.raises(PluginError, match=r"the report csv:path=\S+, by .*csv_report.py, failed in start\(\)"):
        textforge.train(names, report=f"csv:{tmp_path / 'no' / 'x.csv'}", **settings)


@pytest.mark.parametrize("architecture", ["ngram:order=3", "lstm"])
def test_npz(names: Path, tmp_path: Path, architecture: str) -> None:
    plugin = EXAMPLES / "textforge_npz.py"
    plugins = textforge.Plugins([str(plugin)])
    if architecture == "lstm":
        encoder = CharEncoder().fit([NAMES])
        saved = ModelMaker("numpy", "lstm", hidden_size=8).initial(encoder.vocabulary_size)
        made = export(saved, encoder, "npz", tmp_path / "model.npz", plugins=plugins)
    else:
        trained = textforge.train(names, architecture=architecture, seed=1, plugins=plugins)
        saved = trained.model.save()
        made = trained.export(tmp_path / "model.npz", format="npz")
    assert (made.distance, made.tokens) == (0, 0)
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        about = json.loads(str(arrays["textforge.json"]))
        assert set(arrays.files) == {*saved.arrays, "textforge.json"}
        for name, array in saved.arrays.items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype
    assert (about["architecture"], about["options"]) == (saved.architecture, saved.options)
    assert "textforge.json" not in saved.arrays
    assert len([line for line in plugin.read_text(encoding="utf-8").splitlines() if line.strip()]) < 40
    with pytest.raises(ExportError, match=r"must end in \.npz, got model: call it model\.npz"):
        export(saved, CharEncoder().fit([NAMES]), "npz", tmp_path / "model", plugins=plugins)


def test_npz_as_an_installed_plugin(installed: Callable[[str], str]) -> None:
    installed("textforge train table:reviews.csv --encoder char --architecture ngram:order=2 --seed 1 -o counts")
    assert re.search(r"^  npz +NumPy's \.npz: ", installed("textforge export --help"), re.M)
    installed("textforge export counts --format npz counts.npz")
    shown = installed("python -c \"import numpy; print(*numpy.load('counts.npz').files)\"")
    assert {"ngram.1.keys", "ngram.2.counts", "textforge.json"} <= set(shown.split())


BOOK = EXAMPLES / "deep_learning_with_python.py"
BOOK_SAMPLES = re.compile(
    r'--- After epoch (\d+), from "(.{60})"\n((?:------ temperature:[\d.]+\n.{400}\n){4})epoch (\d+): loss (\d\.\d+), ',
    re.DOTALL,
)


def figures(text: str) -> list[str]:
    """Return what the notebook's own way to count gives, as the example prints it."""
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
