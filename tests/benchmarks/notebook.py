"""The baseline: the method of *Deep Learning with Python*, section 8.1, as its notebook has it.

Windows of 60 characters every 3, one-hot; Keras `LSTM(128)` and `Dense`; RMSprop at 0.01, batches of 128; and for each
character generated, a call of `predict` on the last 60.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

WINDOW = 60
STRIDE = 3


class Notebook:
    """The notebook's model on a text, its last tenth kept for validation."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8").lower()
        self.characters = sorted(set(text))
        index = {character: number for number, character in enumerate(self.characters)}
        self.ids = np.array([index[character] for character in text])
        cut = len(self.ids) - len(self.ids) // 10
        self.train, self.validation = self.ids[:cut], self.ids[cut:]
        self.model = keras.Sequential(
            [
                keras.Input((WINDOW, len(self.characters))),
                keras.layers.LSTM(128),
                keras.layers.Dense(len(self.characters), activation="softmax"),
            ]
        )
        self.model.compile(keras.optimizers.RMSprop(learning_rate=0.01), "categorical_crossentropy")

    def one_hot(self, ids: Any) -> tuple[Any, Any]:
        """The windows of a text and the characters that follow them."""
        starts = np.arange(0, len(ids) - WINDOW, STRIDE)
        table = np.eye(len(self.characters), dtype=bool)
        return table[ids[starts[:, None] + np.arange(WINDOW)]], table[ids[starts + WINDOW]]

    def seconds_to(self, loss: float, most_epochs: int = 12) -> dict[str, Any]:
        """Train until the validation loss is reached; the seconds that took, and the losses of the epochs."""
        train, validation = self.one_hot(self.train), self.one_hot(self.validation)
        losses: list[float] = []
        began = time.perf_counter()
        while len(losses) < most_epochs and (not losses or losses[-1] > loss):
            history = self.model.fit(*train, batch_size=128, epochs=1, verbose=0, validation_data=validation)
            losses.append(history.history["val_loss"][0])
        return {"seconds": time.perf_counter() - began, "losses": losses}

    def characters_per_second(self, count: int) -> float:
        """The speed of the notebook's loop at temperature 0.5, its first calls not counted."""
        window = list(self.ids[:WINDOW])
        self._generate(window, 5)
        began = time.perf_counter()
        self._generate(window, count)
        return count / (time.perf_counter() - began)

    def _generate(self, window: list[int], count: int) -> None:
        random = np.random.RandomState(0)
        for _ in range(count):
            sampled = np.zeros((1, WINDOW, len(self.characters)))
            for position, number in enumerate(window):
                sampled[0, position, number] = 1.0
            predictions = self.model.predict(sampled, verbose=0)[0]
            window.append(_sample(random, predictions, 0.5))
            del window[0]


def _sample(random: np.random.RandomState, predictions: Any, temperature: float) -> int:
    """Reweight a distribution and draw from it."""
    logits = np.log(np.asarray(predictions).astype("float64")) / temperature
    weights = np.exp(logits)
    return int(np.argmax(random.multinomial(1, weights / weights.sum(), 1)))
