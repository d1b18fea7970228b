"""Bundles that version 0.1.0 wrote with Keras go on training as they did."""

from __future__ import annotations

import pytest
from old_bundles import EXPECTED, FOLDER, interrupt

import textforge
from textforge.bundle import Bundle


@pytest.mark.parametrize("name", ["keras", "keras-conv"])
def test_training_goes_on(name, tmp_path):
    interrupt(name, tmp_path / "model")
    textforge.train(FOLDER / "corpus.txt", output=tmp_path / "model", resume=True, epochs=4)
    losses = [result.validation_loss for result in Bundle.open(tmp_path / "model").history()]
    assert losses == pytest.approx(EXPECTED[name]["resumed_history"], abs=1e-5)
