"""The settings of a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from textforge.components.component import Declared, option
from textforge.errors import OptionError, PluginError
from textforge.model import Optimizer

DEFAULT_LEARNING_RATES = {"adam": 0.01, "rmsprop": 0.003, "sgd": 0.5}


class TrainingSettings(Declared):
    """The settings of a training run. Each becomes an option of ``textforge train``."""

    seed: int = option(ge=0, help="Seed of all that is random; drawn and said unless given.")
    epochs: int | None = option(
        default=None, ge=1, help="Passes over the corpus, a resumed run's in total; 10 unless --minutes is given."
    )
    minutes: float | None = option(
        default=None,
        gt=0,
        lt=math.inf,
        help="Train for so long, a resumed run in total, instead of a number of epochs.",
    )
    batch_size: int = option(default=16, ge=1, help="Sequences trained on at once.")
    sequence_length: int = option(default=64, ge=1, help="Tokens of a sequence, in streams.")
    sequences: str = option(
        default="stream",
        choices=("stream", "windows"),
        help="How the corpus is cut: streams that carry the state on, or shuffled windows whose next token is learnt.",
    )
    window: int = option(default=60, ge=1, le=1 << 20, help="Tokens of a window.")
    stride: int = option(default=3, ge=1, help="Tokens from one window to the next.")
    optimizer: str = option(
        default="adam", choices=("adam", "rmsprop", "sgd"), help="Optimizer, as PyTorch defines it."
    )
    learning_rate: float | None = option(
        default=None, gt=0, lt=math.inf, help="Highest learning rate; adam 0.01, rmsprop 0.003, sgd 0.5 unless given."
    )
    schedule: str = option(
        default="wsd",
        choices=("wsd", "cosine", "constant"),
        help="Learning rate over time: wsd, warm-up, then the highest for six tenths of the run, then half a cosine "
        "down to a fiftieth; cosine, which falls at once; or constant.",
    )
    warm_up: float = option(
        default=0.02, ge=0, lt=1, help="Share of a run's steps over which the learning rate rises at first."
    )
    clip_norm: float | None = option(
        default=1.0, gt=0, lt=math.inf, help="Joint norm that gradients are scaled down to, or none."
    )
    weight_decay: float = option(
        default=0.0,
        ge=0,
        lt=1,
        help="Share of each weight, biases aside, that a step takes off it, times the learning rate: AdamW.",
    )
    validation: float = option(default=0.1, ge=0, lt=1, help="Share of the corpus kept for validation.")
    validation_part: str = option(
        default="tail",
        choices=("tail", "slices", "documents"),
        help="The part of the corpus kept for validation: its end, slices all over it, or whole documents.",
    )
    validation_corpus: tuple[str, ...] = option(
        default=(), help="Corpus to validate on, so that all of CORPUS is learnt; repeatable."
    )
    shuffle: str = option(
        default="none",
        choices=("none", "documents"),
        help="Order of the documents in streams: as they come, or drawn anew each epoch.",
    )
    replay: str | None = option(
        default=None,
        help="Older text to be mixed in, with its share: old.txt:0.2, or 0.2 for what the model of --from learnt.",
    )
    mix: tuple[str, ...] = option(
        default=(),
        help="Architecture that learns in one reading, such as ngram, to count too and mix in at the end; repeatable.",
    )
    patience: int | None = option(
        default=0,
        ge=0,
        help="Stop after so many epochs without a better validation loss; 0: come to an early end once it has stopped "
        "getting better; none: never.",
    )
    sample: tuple[str, ...] = option(
        default=(), help="Chain of samplers to show a text of after an epoch, such as temperature:0.5; repeatable."
    )
    sample_every: int = option(default=1, ge=1, help="Epochs from one showing of samples to the next.")

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate, or the optimizer's default one."""
        return self.learning_rate or DEFAULT_LEARNING_RATES[self.optimizer]

    @property
    def epoch_limit(self) -> int | None:
        """Passes over the corpus, or None where time alone limits the run; with minutes, whichever ends first."""
        return 10 if self.epochs is None and self.minutes is None else self.epochs

    def make_optimizer(self) -> Optimizer:
        """Return the optimizer that the backend is asked for."""
        return Optimizer(name=self.optimizer, clip_norm=self.clip_norm, weight_decay=self.weight_decay)


RECIPE_SETTINGS = (
    "epochs",
    "batch_size",
    "sequence_length",
    "optimizer",
    "learning_rate",
    "schedule",
    "warm_up",
    "clip_norm",
    "weight_decay",
)
"""The settings that an architecture's recipe may choose; those by which a corpus is divided are not its own."""
LIMITS = ("epochs", "minutes")
"""Settings that limit a run: where one of them is given, no default of the other does."""


def complete_settings(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any] = MappingProxyType({}),
    by: str = "the architecture",
    chosen: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the settings that were given, over those that a recipe has chosen, over an architecture's defaults.

    The learning rate is resolved. What is given wins; None for the learning rate is as if it weren't. Epochs that are
    chosen stand beside minutes that are given; those that are declared don't. A default learning rate suits the
    optimizer that the same defaults name, adam unless they do, and is left out for another. Saved settings are not to
    be completed: a run whose rate was not recorded goes on with the optimizer's.

    Raises `PluginError`, naming the architecture as `by`, for a default that is no setting or can't be one.

    >>> complete_settings({"optimizer": "sgd"}, {"learning_rate": 0.003})["learning_rate"]
    0.5
    """
    _check_defaults({**defaults, **chosen}, by)
    given = {name: value for name, value in given.items() if name not in LIMITS or value is not None}
    if any(name in given for name in LIMITS):
        defaults = {**defaults, **{name: None for name in LIMITS if name in defaults}}
    defaults = {**defaults, **chosen}
    completed = {**defaults, **given}
    if given.get("learning_rate") is None:
        optimizer = completed.get("optimizer", _USUAL_OPTIMIZER)
        suits = optimizer == defaults.get("optimizer", _USUAL_OPTIMIZER)
        usual = DEFAULT_LEARNING_RATES.get(optimizer)  # None for an optimizer there isn't: refused with the others
        completed["learning_rate"] = defaults.get("learning_rate", usual) if suits else usual
    return completed


def _check_defaults(defaults: Mapping[str, Any], by: str) -> None:
    for name, value in defaults.items():
        try:
            TrainingSettings.known_option(name).check(value)
        except (OptionError, ValueError) as error:
            raise PluginError(f"{by}: its training_defaults can't be: {name}: {error}") from None


_USUAL_OPTIMIZER = TrainingSettings.options()["optimizer"].default
