"""`textforge train` and `evaluate`: reports, metrics, divergence, totals, and texts that were trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import PLUGIN, TEXT, one_line, run

import textforge

WATCHER = """
import pathlib
import textforge


class Watcher(textforge.Report):
    '''Notes epochs in a file, stops after some, and fails in one.'''

    name = "watcher"
    path: str = textforge.option(help="The file.")
    stop: int = textforge.option(default=0, ge=0, help="The epoch to stop after.")
    fail: int = textforge.option(default=0, ge=0, help="The epoch to fail in.")

    def __attrs_post_init__(self):
        self.epochs = []

    def epoch(self, result, model):
        self.epochs.append(result.epoch)
        if result.epoch == self.fail:
            raise ZeroDivisionError("by zero")
        if result.epoch == self.stop:
            raise textforge.StopTraining("that will do")

    def finish(self):
        pathlib.Path(self.path).write_text(repr(self.epochs))


class Length(textforge.Metric):
    '''Tokens of a text.'''

    name = "length"
    unit = "tokens"

    def measure(self, model, encoder, tokens):
        return len(tokens)


@textforge.hookimpl
def register_reports(register):
    register(Watcher)


@textforge.hookimpl
def register_metrics(register):
    register(Length)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "watcher.py").write_text(WATCHER, encoding="utf-8")
    (tmp_path / "book.txt").write_text(TEXT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL = ("--seed", 1, "--batch-size", 2, "--sequence-length", 10)


def train(*arguments: Any) -> Any:
    plugins = ("--plugin", "watcher.py", "--plugin", PLUGIN)
    return run("train", *plugins, "-o", "model", *arguments)


def begin(*arguments: Any) -> Any:
    return train("book.txt", "--backend", "bigram", *SMALL, *arguments)


def test_reports_watch_a_run_and_end_it_well(folder: Path) -> None:
    watched = begin("--epochs", 4, "--report", "watcher:one,stop=2", "--report", "watcher:two")
    assert watched.exit_code == 0, watched.stderr
    assert [(folder / name).read_text() for name in ("one", "two")] == ["[1.0, 2.0]"] * 2
    lines = watched.stderr.splitlines()
    assert any(line.startswith("epoch 2 ") for line in lines)
    assert "training stops, as a report asked for: that will do" in lines
    assert lines[-1].startswith("saved in model; ")
    resumed = train("--resume", "--epochs", 4, "--report", "watcher:one")
    assert resumed.exit_code == 0, resumed.stderr
    assert (folder / "one").read_text() == "[3.0, 4.0]"


def test_a_report_that_fails_is_named_and_the_epoch_kept(folder: Path) -> None:
    result = begin("--epochs", 3, "--report", "watcher:one,fail=2")
    assert one_line(result, 1) == (
        "Error: the report watcher:path=one,fail=2, by watcher.py, failed in epoch(): ZeroDivisionError: by zero"
    )
    assert (folder / "one").read_text() == "[1.0, 2.0]"
    resumed = train("--resume", "--report", "watcher:one")
    assert (folder / "one").read_text() == "[3.0]", resumed.stderr


def test_a_report_there_is_not(folder: Path) -> None:
    assert "there is no report 'watchers'; installed: watcher" in one_line(begin("--report", "watchers:x"), 1)
    assert not (folder / "model").exists()


def test_a_run_that_diverges_is_an_error_and_saves_nothing(folder: Path) -> None:
    result = begin("--learning-rate", "1e6", "--clip-norm", "none", "--epochs", 2)
    error = one_line(result, 1)
    assert error.startswith("Error: training diverged: its loss is ")
    assert error.endswith(
        "; lower the learning rate (--learning-rate, now 1e+06) or clip gradients (--clip-norm, now none); "
        "nothing was saved"
    )
    assert "training diverges: its loss is" in result.stderr
    assert not (folder / "model" / "config.json").exists()


def test_a_run_that_diverges_later_keeps_its_last_sound_weights(folder: Path) -> None:
    assert begin("--epochs", 1, "--learning-rate", 0.3, "--optimizer", "sgd", "--schedule", "constant").exit_code == 0
    before = textforge.load(folder / "model", plugins=textforge.Plugins([PLUGIN])).model.save().arrays
    result = train("--resume", "--learning-rate", "1e6", "--clip-norm", "none", "--epochs", 3, "--schedule", "constant")
    assert result.exit_code == 0, result.stderr
    assert "training ended diverged; the last sound weights are kept" in result.stderr
    after = textforge.load(folder / "model", plugins=textforge.Plugins([PLUGIN])).model.save().arrays
    assert all((array == before[name]).all() for name, array in after.items())
    again = train("--resume", "--learning-rate", 0.3, "--epochs", 3)
    assert "going on after epoch 1" in again.stderr
    assert again.exit_code == 0


def test_epochs_are_a_total(folder: Path) -> None:
    assert begin("--epochs", 3).exit_code == 0
    assert one_line(train("--resume", "--epochs", 2), 1) == (
        "Error: nothing is left to learn: 3 epochs are done, and epochs, now 2, is the run's total; "
        "for 2 more ask for --epochs 5"
    )
    assert "in total" in run("train", "--help").stdout


@pytest.fixture
def model(folder: Path) -> Path:
    textforge.train(folder / "book.txt", architecture="ngram:order=4", output=folder / "model", seed=1)
    return folder / "model"


def test_a_text_that_was_trained_on_is_told(model: Path, folder: Path) -> None:
    seen = run("evaluate", model, folder / "book.txt")
    assert seen.exit_code == 0
    assert seen.stderr.startswith("this is the text that the model was trained on (")
    assert "); its validation loss was " in seen.stderr
    as_json = json.loads(run("evaluate", model, folder / "book.txt", "--json").stdout)
    assert len(as_json["trained_on"]) == 1
    assert f"was {as_json['trained_validation_loss']:.4f} nats a token" in seen.stderr
    (folder / "other.txt").write_text("That is that, and is it not so? It is.", encoding="utf-8")
    other = run("evaluate", model, folder / "other.txt", "--json", "--unknown", "skip")
    assert other.stderr == ""
    assert (json.loads(other.stdout)["trained_on"], json.loads(other.stdout)["trained_validation_loss"]) == ([], None)


def test_metrics_are_rows_of_the_table(model: Path, folder: Path) -> None:
    plugin = ("--plugin", "watcher.py")
    result = run("evaluate", *plugin, model, folder / "book.txt", "--metric", "length")
    assert f"length              {len(TEXT)} tokens\n" in result.stdout
    as_json = json.loads(run("evaluate", *plugin, model, folder / "book.txt", "--metric", "length", "--json").stdout)
    assert as_json["metrics"] == [{"metric": "length", "value": len(TEXT), "unit": "tokens"}]
    unknown = run("evaluate", *plugin, model, folder / "book.txt", "--metric", "lengths")
    assert "there is no metric 'lengths'; installed: length" in one_line(unknown, 1)


def test_several_models_are_measured_side_by_side(tmp_path: Path) -> None:
    book, held_out = tmp_path / "book.txt", tmp_path / "held-out.txt"
    book.write_text(TEXT, encoding="utf-8")
    held_out.write_text("It is a truth that it is short.\n" * 3, encoding="utf-8")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, spec, encoder in ((first, "ngram:order=2", "char"), (second, "ngram:order=3", "byte")):
        done = run("train", book, "-o", folder, "--architecture", spec, "--encoder", encoder, "--seed", 1)
        assert done.exit_code == 0, done.stderr
    alone = [json.loads(run("evaluate", folder, held_out, "--json").stdout) for folder in (first, second)]
    result = run("evaluate", first, held_out, "--beside", second, "--baseline", "ngram:order=4", "--json")
    together = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.pop("model") for line in together] == [str(first), str(second), "ngram:order=4 (baseline)"]
    assert together[:2] == alone
    assert together[2]["bits_per_character"] < alone[0]["bits_per_character"]
    table = run("evaluate", first, held_out, "--beside", second).stdout.splitlines()
    assert table[0].split() == [str(first), str(second)]
    assert table[3].split() == ["bits", "a", "character", *(f"{each['bits_per_character']:.4f}" for each in alone)]


def test_a_stream_is_not_read_for_several_models(tmp_path: Path) -> None:
    result = run("evaluate", tmp_path, "-", "--beside", tmp_path, stdin=TEXT)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: Several models read the text one after another: save it in a file, and name that."
    )


def test_a_baseline_of_a_text_that_is_gone(tmp_path: Path) -> None:
    result = run("train", "-", "-o", tmp_path / "m", "--architecture", "ngram", "--seed", 1, stdin=TEXT)
    assert result.exit_code == 0, result.stderr
    (tmp_path / "held-out.txt").write_text(TEXT, encoding="utf-8")
    told = run("evaluate", tmp_path / "m", tmp_path / "held-out.txt", "--baseline", "ngram")
    assert told.exit_code == 1
    assert "can't be read a second time" in told.stderr.splitlines()[-1]
