"""An architecture as a plugin: the infini-gram (Liu et al., 2024), which looks up the longest context it has read."""

import numpy as np

import textforge


class Infini(textforge.Architecture):
    """Keeps the text, and says what followed where the same tokens stood, as many as there were."""

    name = "infini"

    def weights(self, vocabulary_size):
        return {}  # nothing is known of their shape before a text is read

    def create(self, vocabulary_size, seed):
        nothing = np.zeros(0, dtype=np.int64)
        return textforge.SavedModel(self.name, {}, vocabulary_size, {"text": nothing})

    def state(self):
        return {"context": (None, 16)}

    def check(self, saved):
        if [array.ndim for array in saved.arrays.values()] != [1]:
            raise textforge.BundleError("a model of infini has one array, its text: train it again")
        return saved.arrays


class InfiniModel(textforge.CountingModel):
    """The text on NumPy."""

    def __init__(self, saved, architecture, precision="float32"):
        self.text, self.vocabulary_size = saved.arrays["text"].astype(np.int64), saved.vocabulary_size

    def count(self, tokens):
        text = np.concatenate([self.text, tokens])
        return InfiniModel(textforge.SavedModel("infini", {}, self.vocabulary_size, {"text": text}), None)

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

    def state_arrays(self, state):
        return {"context": state.copy()}

    def make_state(self, arrays):
        return arrays["context"].copy()

    def save(self):
        return textforge.SavedModel("infini", {}, self.vocabulary_size, {"text": self.text.copy()})


@textforge.hookimpl
def register_architectures(register):
    register(Infini)


@textforge.hookimpl
def register_implementations(register):
    register(backend="numpy", architecture="infini", by=f"{__name__}:InfiniModel", trains=True)
