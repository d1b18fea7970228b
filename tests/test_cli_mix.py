"""``textforge mix``, and what other commands show of a mixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import textforge
from textforge.cli import main

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that. Was it so? It was, it is.\n" * 30


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, and two models of it."""
    made = tmp_path_factory.mktemp("mix")
    (made / "book.txt").write_text(TEXT, encoding="utf-8")
    for name, order in (("short", 1), ("long", 6)):
        textforge.train(made / "book.txt", architecture=f"ngram:order={order}", output=made / name, seed=1)
    return made


@pytest.fixture
def both(folder: Path, tmp_path: Path) -> Path:
    result = run("mix", folder / "short", folder / "long", "-o", tmp_path / "both")
    assert result.exit_code == 0, result.output
    return tmp_path / "both"


def test_what_is_said_of_a_mixture(folder: Path, tmp_path: Path) -> None:
    result = run("mix", folder / "short", folder / "long", "-o", tmp_path / "both")
    assert result.exit_code == 0
    assert result.stdout == ""
    first, short, long, best, other, saved = result.stderr.splitlines()
    assert first.endswith("tokens held out, nats a token:")
    assert short.split()[0] == str(folder / "short")
    assert long.split()[0] == str(folder / "long")
    losses = [float(line.split()[1]) for line in (short, long, best, other)]
    assert losses[2] < min(losses[:2])
    assert losses[2] <= losses[3]
    assert {line.split()[0] for line in (best, other)} == {"linear", "geometric"}
    assert saved.startswith(f"saved in {tmp_path / 'both'}; write with: textforge generate")


def test_generate_evaluate_and_score(both: Path, folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    result = run("generate", both, "--seed", 1, "--max-tokens", 20, "--trace", trace)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.rstrip("\n")) >= 20
    lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 20
    for line in lines:
        assert [set(part) for part in line["parts"]] == [{"part", "weight", "entropy", "tokens", "top", "drawn"}] * 2
    result = run("evaluate", both, folder / "book.txt", "--beside", folder / "short", "--json")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2
    assert run("evaluate", both, folder / "book.txt", "--baseline", "ngram:order=2").exit_code == 0
    scored = tmp_path / "texts.txt"
    scored.write_text("It is so.\n", encoding="utf-8")
    assert run("score", both, scored).exit_code == 0


def test_info(both: Path, folder: Path) -> None:
    rows = [line.split(maxsplit=1) for line in run("info", both).stdout.splitlines()]
    parts = [text for name, text in rows if name == "part"]
    assert len(parts) == 2
    assert f"of {folder / 'short'}: ngram, order=1; " in parts[0]
    assert all(text.endswith("bits)") for text in parts)
    [mixture] = [text for name, text in rows if name == "mixture"]
    assert "nats a token" in mixture
    assert mixture.endswith("tokens held out")
    assert [rows[[name for name, _ in rows].index("mixed")][0], "numpy:float32"] == ["mixed", "numpy:float32"]
    manifest = json.loads(run("info", both, "--json").stdout)
    assert manifest["mixing"]["names"] == [str(folder / "short"), str(folder / "long")]


def test_info_of_a_mixture_that_was_edited(both: Path) -> None:
    manifest = json.loads((both / "config.json").read_text(encoding="utf-8"))
    for options, told in (
        ({}, "lacks parts"),
        ({**manifest["model"]["options"], "parts": ["1", "2"]}, "must be models"),
    ):
        edited = {**manifest, "model": {**manifest["model"], "options": options}}
        (both / "config.json").write_text(json.dumps(edited), encoding="utf-8")
        result = run("info", both)
        assert result.exit_code == 0
        assert told in result.stdout


def test_a_part_that_is_a_mixture_shows_its_own(both: Path, folder: Path, tmp_path: Path) -> None:
    result = run("mix", both, folder / "long", "-o", tmp_path / "nested")
    assert result.exit_code == 0, result.output
    assert "[ngram, order=1; ngram, order=6]" in run("info", tmp_path / "nested").stdout


def test_weights_that_are_given(folder: Path, tmp_path: Path) -> None:
    models = (folder / "long", folder / "short")
    result = run("mix", *models, "-o", tmp_path / "contrast", "--weights", "1.5,-0.5")
    assert result.exit_code == 0, result.output
    info = run("info", tmp_path / "contrast").stdout
    assert "geometric" in info
    assert f"1.5000 of {folder / 'long'}" in info
    assert f"-0.5000 of {folder / 'short'}" in info
    assert run("generate", tmp_path / "contrast", "--seed", 1, "--max-tokens", 5).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "Missing argument 'MODEL MODEL...'"),
        (("short",), 1, "a mixture needs 2 models or more, got 1: name the others too"),
        (("short", "nowhere"), 1, "there is no folder nowhere"),
        (("short", "book.txt"), 1, "book.txt is a file; a model is a folder"),
        (("short", "long", "--weights", "a,b"), 2, "must be numbers joined by commas, such as 0.6,0.4, got 'a,b'"),
        (("short", "long", "--weights", "1"), 1, "--weights must be one for each of 2 models, got 1"),
        (("short", "long", "--weights", "0.5,0.6", "--kind", "linear"), 1, "--weights must sum to 1 in a linear"),
        (("short", "long", "--weights", "1,1", "--corpus", "book.txt"), 1, "leave out --corpus"),
        (("short", "long", "--kind", "cubic"), 2, "'cubic' is not one of"),
        (("short", "long", "--corpus", "nowhere.txt"), 1, "there is no file or folder 'nowhere.txt'"),
        (("short", "long", "--backend", "nothing"), 1, "there is no backend 'nothing'"),
    ],
)
def test_slips(arguments: Any, status: int, message: str, folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    result = run("mix", *arguments, "-o", tmp_path / "new")
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "new").exists()


def test_other_parts_are_advised_in_the_command_lines_words(folder: Path, tmp_path: Path) -> None:
    textforge.train(folder / "book.txt", architecture="ngram", output=tmp_path / "none", seed=1, validation=0.0)
    result = run("mix", folder / "short", tmp_path / "none", "-o", tmp_path / "new")
    assert result.exit_code == 1
    assert "give a text that no model has learnt by --corpus, or the --weights" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_model_in_the_way(folder: Path, both: Path) -> None:
    models = (folder / "short", folder / "long")
    result = run("mix", *models, "-o", both, "--weights", "0.5,0.5")
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert run("mix", *models, "-o", both, "--weights", "0.5,0.5", "--overwrite").exit_code == 0


def test_train_mixes_in_one_go(folder: Path, tmp_path: Path) -> None:
    command = ("train", folder / "book.txt", "--architecture", "lstm:8", "--epochs", 1, "--seed", 1)
    result = run(*command, "--mix", "ngram:order=3", "--mix", "ngram:order=2", "-o", tmp_path / "m")
    assert result.exit_code == 0, result.output
    assert any(line.startswith("linear") for line in result.stderr.splitlines())
    info = run("info", tmp_path / "m").stdout
    assert "mix=('ngram:order=3', 'ngram:order=2')" in info
    assert "validation of the part that was trained" in info
    assert "trained by" in info
    result = run(*command, "--mix", "lstm", "-o", tmp_path / "n")
    assert result.exit_code == 1
    assert "mix both models by `textforge mix`" in result.stderr
