"""A backend as a plugin: the infini-gram (Liu et al., 2024), which looks up the longest context it has read before."""

import numpy as np

import textforge
from textforge.errors import BundleError


class InfiniBackend(textforge.Backend):
    """Keeps the text, and says what followed where the same tokens stood, as many as there were."""

    name = architecture = "infini"

    def create(self, vocabulary_size, seed):
        return InfiniModel(np.zeros(0, dtype=np.int64), vocabulary_size)

    def load(self, saved):
        if [array.ndim for array in saved.arrays.values()] != [1]:
            raise BundleError("a model of infini has one array, its text: train it again")
        return InfiniModel(saved.arrays["text"].copy(), saved.vocabulary_size)

    def fit(self, model, data, settings, report, checkpoint=None):
        return InfiniModel(data.train.astype(np.int64), model.vocabulary_size)


class InfiniModel(textforge.Model):
    def __init__(self, text, vocabulary_size):
        self.text, self.vocabulary_size = text, vocabulary_size

    def start(self, batch_size):
        return np.full((batch_size, 16), -1)  # the last tokens of each row, the latest first

    def step(self, ids, state):
        state[:] = np.column_stack([ids, state[:, :-1]])
        return np.array([self.logits(context) for context in state], dtype=np.float32)

    def logits(self, context):
        places = np.arange(len(context), len(self.text))
        for back, id in enumerate(context, start=1):
            same = places[self.text[places - back] == id]
            if not len(same):
                break
            places = same
        return np.log(np.bincount(self.text[places], minlength=self.vocabulary_size) + 0.01)

    def select(self, state, rows):
        return state[rows]

    def save(self):
        return textforge.SavedModel("infini", {}, self.vocabulary_size, {"text": self.text.copy()})


@textforge.hookimpl
def register_backends(register):
    register(InfiniBackend)
