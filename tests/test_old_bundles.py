"""Bundles that version 0.1.0 wrote, each interrupted after two epochs of four: they load, write and go on as they did.

`bundles/0.1.0/expected.json` has what that version's own code made of each.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from old_bundles import EXPECTED, FOLDER, interrupt

import textforge
from textforge.bundle import Bundle
from textforge.training.schedule import HOLD

BACKENDS = {"lstm": "torch", "conv": "torch", "windows": "torch", "keras": "keras", "keras-conv": "keras"}
ARCHITECTURES = {"lstm": "lstm", "conv": "conv", "windows": "lstm", "keras": "lstm", "keras-conv": "conv"}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_writes_the_same_text_and_predicts_as_well(name: str) -> None:
    generator = textforge.load(FOLDER / name, backend="numpy:precision=float64")
    assert generator.generate("It ", max_tokens=60, seed=5) == EXPECTED[name]["text"]
    loss = generator.evaluate(FOLDER / "corpus.txt").loss
    assert loss == pytest.approx(EXPECTED[name]["loss"], abs=1e-12)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_trained_it_is_told_in_today_s_words(name: str) -> None:
    bundle = Bundle.open(FOLDER / name)
    assert bundle.backend == BACKENDS.get(name, "numpy")
    assert bundle.architecture == ARCHITECTURES.get(name, "ngram")


@pytest.mark.parametrize("name", ["lstm", "conv", "windows"])
def test_asked_for_more_it_warms_up_again(name: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER / name, tmp_path / "model")
    textforge.train(FOLDER / "corpus.txt", output=tmp_path / "model", resume=True, epochs=4)
    bundle = Bundle.open(tmp_path / "model")
    assert bundle.position is not None
    assert (bundle.position.course.hold, bundle.position.finished) == (HOLD, True)
    assert min(result.judged_loss for result in bundle.history()) < EXPECTED[name]["resumed_history"][-1]


@pytest.mark.parametrize("name", ["lstm", "conv", "windows", "ngram"])
def test_training_goes_on(name: str, tmp_path: Path) -> None:
    if name == "ngram":
        shutil.copytree(FOLDER / name, tmp_path / "model")
    else:
        interrupt(name, tmp_path / "model")
    textforge.train(FOLDER / "corpus.txt", output=tmp_path / "model", resume=True, epochs=4)
    bundle = Bundle.open(tmp_path / "model")
    losses = [result.validation_loss for result in bundle.history()]
    assert losses == pytest.approx(EXPECTED[name]["resumed_history"], abs=1e-5)
    assert bundle.manifest["format_version"] == 2
    generator = textforge.load(tmp_path / "model", backend="numpy:precision=float64")
    assert generator.evaluate(FOLDER / "corpus.txt").loss == pytest.approx(EXPECTED[name]["resumed_loss"], abs=1e-5)
