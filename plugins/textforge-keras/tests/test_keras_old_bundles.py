"""Bundles that version 0.1.0 wrote with Keras go on training as they did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import textforge
from textforge.bundle import Bundle

FOLDER = Path(__file__).parents[3] / "tests" / "bundles" / "0.1.0"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["keras", "keras-conv"])
def test_training_goes_on(name, tmp_path):
    shutil.copytree(FOLDER / name, tmp_path / "model")
    textforge.train(FOLDER / "corpus.txt", output=tmp_path / "model", resume=True, epochs=4)
    losses = [result.validation_loss for result in Bundle.open(tmp_path / "model").history()]
    assert losses == pytest.approx(EXPECTED[name]["resumed_history"], abs=1e-5)
