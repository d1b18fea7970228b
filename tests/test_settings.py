"""Training settings under an architecture's defaults."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.errors import PluginError
from textforge.training.settings import DEFAULT_LEARNING_RATES, TrainingSettings, complete_settings

TRANSFORMER = {"learning_rate": 0.003, "batch_size": 32, "patience": 4}


@pytest.mark.parametrize(
    ("given_", "defaults", "expected"),
    [
        ({}, {}, {"learning_rate": 0.01}),
        ({}, TRANSFORMER, TRANSFORMER),
        ({"learning_rate": 0.1, "batch_size": 8}, TRANSFORMER, {"learning_rate": 0.1, "batch_size": 8, "patience": 4}),
        ({"patience": None}, TRANSFORMER, {**TRANSFORMER, "patience": None}),
        ({"learning_rate": None}, TRANSFORMER, TRANSFORMER),
        ({"optimizer": "sgd"}, {"learning_rate": 0.003}, {"optimizer": "sgd", "learning_rate": 0.5}),
        (
            {"optimizer": "adam"},
            {"optimizer": "sgd", "learning_rate": 2.0},
            {"optimizer": "adam", "learning_rate": 0.01},
        ),
        ({}, {"optimizer": "sgd", "learning_rate": 2.0}, {"optimizer": "sgd", "learning_rate": 2.0}),
        ({}, {"optimizer": "rmsprop"}, {"optimizer": "rmsprop", "learning_rate": 0.003}),
        ({"minutes": 2.0}, {"epochs": 30}, {"minutes": 2.0, "epochs": None, "learning_rate": 0.01}),
        ({"epochs": 2}, {"epochs": 30}, {"epochs": 2, "learning_rate": 0.01}),
        ({}, {"epochs": 30}, {"epochs": 30, "learning_rate": 0.01}),
    ],
)
def test_what_is_given_wins(given_: dict[str, Any], defaults: dict[str, Any], expected: dict[str, Any]) -> None:
    assert complete_settings(given_, defaults) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, {"epochs": 12}),
        ({"epochs": None}, {"epochs": 12}),
        ({"minutes": 2.0}, {"epochs": 12, "minutes": 2.0}),
        ({"minutes": 2.0, "epochs": None}, {"epochs": 12, "minutes": 2.0}),
        ({"epochs": 3}, {"epochs": 3}),
        ({"epochs": 3, "minutes": 2.0}, {"epochs": 3, "minutes": 2.0}),
    ],
)
def test_epochs_that_a_recipe_chooses_stand_beside_given_minutes(
    given_: dict[str, Any], expected: dict[str, Any]
) -> None:
    completed = complete_settings(given_, {"epochs": 30}, chosen={"epochs": 12})
    del completed["learning_rate"]
    assert completed == expected


@given(optimizer=st.sampled_from(sorted(DEFAULT_LEARNING_RATES)), rate=st.none() | st.floats(0.001, 10))
def test_the_rate_that_is_recorded_is_the_one_that_is_used(optimizer: str, rate: float | None) -> None:
    given_ = {"seed": 1, "optimizer": optimizer, "learning_rate": rate}
    before = TrainingSettings(**given_).peak_learning_rate  # of a bundle that recorded none
    completed = TrainingSettings(**complete_settings(given_))
    assert completed.peak_learning_rate == completed.learning_rate == before


@pytest.mark.parametrize("defaults", [{"pace": 1}, {"learning_rate": 0}, {"batch_size": "many"}])
def test_defaults_that_are_no_settings_name_the_architecture(defaults: dict[str, Any]) -> None:
    name = next(iter(defaults))
    with pytest.raises(PluginError, match=f"^gru: its training_defaults can't be: {name}: "):
        complete_settings({}, defaults, by="gru")
