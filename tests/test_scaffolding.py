"""``textforge plugins new``: what it writes installs, shows up, passes its own tests, and works."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from environments import Environment

from textforge.cli import main
from textforge.cli.plugins_new import KINDS, UNCHECKED
from textforge.errors import PluginError
from textforge.plugins.scaffolding import write_plugin

ROOT = Path(__file__).parents[1]


def new(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", *map(str, arguments)])


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture(scope="module")
def written(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new plugin of each kind, all of them installed, and a text."""
    folder = tmp_path_factory.mktemp("written")
    for kind in KINDS:
        environment.run(f"textforge plugins new {kind} my-{kind}", folder)
    environment.run("pip install " + " ".join(f"./textforge-my-{kind}" for kind in KINDS), folder)
    folder.joinpath("book.txt").write_text("It is so, and that is that.\n\nIs it?\n" * 40, encoding="utf-8")
    return folder


def test_they_show_up_at_once(environment: Environment, written: Path) -> None:
    shown = environment.run("textforge plugins", written)
    for kind in KINDS:
        assert f"textforge-my-{kind} 0.1.0\n    {kind:<12} my-{kind}\n" in shown
    assert "implements   my-architecture on torch, my-architecture on numpy" in shown


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in UNCHECKED])
def test_they_pass_the_checks(environment: Environment, written: Path, kind: str) -> None:
    argument = ":book.txt" if kind == "corpus" else ""
    checked = environment.run(f"textforge plugins check my-{kind}{argument}", written)
    assert ", 0 failed" in checked
    assert "FAILED" not in checked


def test_they_pass_their_own_tests_and_examples(environment: Environment, written: Path) -> None:
    folders = " ".join(f"textforge-my-{kind}" for kind in KINDS)
    result = environment.run(f"pytest -q -W error --import-mode=importlib --doctest-modules {folders}", written)
    assert " passed" in result
    assert "failed" not in result


def test_they_work_together(environment: Environment, written: Path) -> None:
    made = "my-architecture:hidden_size=16 --backend torch:device=cpu --epochs 2"
    told = environment.run(
        f"textforge train my-corpus:book.txt --encoder my-encoder --architecture {made} -o model --seed 1 "
        "--report my-report:losses.txt",
        written,
    )
    assert "saved in model" in told
    assert len((written / "losses.txt").read_text(encoding="utf-8").splitlines()) == 2
    assert "% of tokens" in environment.run("textforge evaluate model my-corpus:book.txt --metric my-metric", written)
    environment.run("textforge export model model.npz --format my-format", written)
    assert re.fullmatch(r"\d+ \w+\n", environment.run("textforge my-command model", written))
    assert "  my-command  From the plugin textforge-my-command." in environment.run("textforge --help", written)
    text = environment.run(
        "textforge generate model --sampler 'my-sampler:0.9 | temperature:0.5' --seed 1 --max-tokens 40", written
    )
    assert set(text) <= set("It is so, and that is that.\nIs it?\n")


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_typed_and_tidy(written: Path, kind: str) -> None:
    for command in (
        ["ruff", "check", "--isolated", "--line-length", "120", "--select", "B,E,F,I,PTH,RUF,SIM,UP", "."],
        ["ruff", "format", "--isolated", "--line-length", "120", "--check", "."],
        ["mypy", "--strict", "--python-version", "3.11", f"textforge_my_{kind}"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=written / f"textforge-my-{kind}", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_printed_is_what_was_written_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = new("sampler", "no-digits")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    for path in (path for path in Path("textforge-no-digits").rglob("*") if path.is_file()):
        assert str(path) in lines
    assert lines[-4:] == [
        "    pip install -e textforge-no-digits",
        "    textforge plugins",
        "    textforge plugins check no-digits",
        "    pytest textforge-no-digits",
    ]
    # What computes an architecture is checked with it.
    assert "    textforge plugins check textforge-tide\n" in new("architecture", "tide").stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    result = new("sampler", "no-digits", "--output", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == (f"Error: {tmp_path} is there already: choose another folder with --output, or remove it\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert new("sampler", "no-digits", "--output", tmp_path / "empty").exit_code == 0


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("sampler", "top-k", "there is a sampler 'top-k' already: choose another name"),
        ("sampler", "Top", "a component's name is two characters or more of lower-case letters, digits and '-'"),
        ("sampler", "lm", "textforge-lm is the distribution of textforge itself: choose another name than 'lm'"),
        ("sampler", "textforge-top", "the distribution is called textforge-NAME by itself: write top"),
    ],
)
def test_names_that_are_refused(kind: str, name: str, message: str, tmp_path: Path) -> None:
    result = new(kind, name, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_kind_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="nothing to begin a 'samplers' with; the kinds are corpus"):
        write_plugin("samplers", "ab", tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "name", "cls"),
    [
        ("sampler", "min-p", "MinP"),
        ("sampler", "3d", "Sampler3d"),
        ("corpus", "csv", "CsvCorpus"),
        ("corpus", "my-corpus", "MyCorpus"),
        ("format", "2gram", "Format2gram"),
    ],
)
def test_every_name_makes_a_class(kind: str, name: str, cls: str, tmp_path: Path) -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in write_plugin(kind, name, tmp_path / "out")}
    assert f"class {cls}(textforge.{kind.capitalize()}):" in files[f"{kind}.py"]
    for text in (text for path, text in files.items() if path.endswith(".py")):
        compile(text, "plugin", "exec")
    points = tomllib.loads(files["pyproject.toml"])["project"]["entry-points"]["textforge"]
    assert points == {name: f"textforge_{name.replace('-', '_')}"}


def test_the_templates_are_in_the_wheel(tmp_path: Path, environment: Environment) -> None:
    environment.run(["pip", "wheel", "-q", "-w", str(tmp_path), str(ROOT)], tmp_path)
    (wheel,) = tmp_path.glob("textforge_lm-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "textforge/plugins/scaffolding").rglob("*.template")
    }
    assert len(templates) == 36
    assert templates <= names
