"""Dynamic evaluation: a model that goes on learning from the text it reads."""

from __future__ import annotations

import functools

import attrs
import numpy as np
import pytest

import textforge
from gradient_backends.framework import Framework
from textforge.backends.choose import load_model
from textforge.corpora.text import TextCorpus
from textforge.errors import BackendError, CorpusError, EncodingError
from textforge.evaluation.adapting import Adaptation, adapt, measure_adapted_loss
from textforge.evaluation.loss import token_loss
from textforge.library.adapting import load_learner

LEARNT = "so it is, and that is that. " * 30
OTHER = "that is so, and so is that: it is and it is. " * 12
SETTINGS = {"encoder": "char", "epochs": 1, "seed": 1, "learning_rate": 0.02}
SPEC = "lstm:hidden_size=16,embedding_size=8,dropout=0.5"


@functools.cache
def train_small(backend):
    text = LEARNT + ":"  # so that what is read can be encoded
    return textforge.train(text=text, architecture=SPEC, backend=backend, **SETTINGS)


class AdaptingSuite:
    """Models that adapt, on every backend that trains."""

    @pytest.fixture(autouse=True)
    def prepare(self, framework: Framework):
        self.backend = framework.name
        self.generator = train_small(framework.name)

    def learner(self):
        return load_learner(textforge.Plugins(), self.generator.contents, self.backend)

    def test_each_piece_is_predicted_before_it_is_learnt(self):
        """The first piece's loss is the model's as it was; no later token changes an earlier loss."""
        ids = self.generator.encoder.encode(OTHER)
        pieces = Adaptation(learning_rate=0.05, piece=50)
        losses = [float(loss) for loss, _ in adapt(self.learner(), ids, pieces)]
        plain = self.generator.contents.model
        model = load_model(textforge.Plugins(), textforge.Plugins().backend("numpy"), plain)
        assert losses[0] == pytest.approx(token_loss(model, ids[:51]).mean, abs=1e-5)
        changed = ids.copy()
        changed[-1] = (changed[-1] + 1) % self.generator.encoder.vocabulary_size
        again = [float(loss) for loss, _ in adapt(self.learner(), changed, pieces)]
        assert again[:-1] == losses[:-1]
        assert again[-1] != losses[-1]

    def test_what_learns_nothing_reads_as_the_model_does(self):
        ids = self.generator.encoder.encode(OTHER)
        still = Adaptation(learning_rate=1e-12, piece=25)
        loss = measure_adapted_loss(self.learner(), ids, adaptation=still)
        assert loss.tokens == len(ids) - 1
        assert loss.mean == pytest.approx(token_loss(self.generator.model, ids, rows=1).mean, abs=1e-5)

    def test_a_text_that_repeats_is_predicted_better(self):
        result = self.generator.evaluate(TextCorpus.of(OTHER * 4), adapt=self.backend)
        assert result.adapted_loss < result.loss - 0.05
        assert self.generator.evaluate(TextCorpus.of(OTHER * 4)).adapted_loss is None

    def test_a_generator_that_adapts_leaves_the_other_as_it_was(self):
        before = self.generator.contents.model.arrays["output.weight"].copy()
        adapted = self.generator.adapt(OTHER, backend=self.backend)
        np.testing.assert_array_equal(self.generator.contents.model.arrays["output.weight"], before)
        assert adapted.contents.model.options == self.generator.contents.model.options  # its dropout too
        assert adapted.contents.history == ()
        ids = self.generator.encoder.encode(OTHER)
        assert token_loss(adapted.model, ids).mean < token_loss(self.generator.model, ids).mean
        again = self.generator.adapt(OTHER, backend=self.backend)
        assert again.generate("so", seed=3) == adapted.generate("so", seed=3)

    @pytest.mark.parametrize("text", ["", "s"])
    def test_a_text_too_short_to_learn_from_changes_nothing(self, text):
        adapted = self.generator.adapt(text, backend=self.backend)
        for name, array in adapted.contents.model.arrays.items():
            np.testing.assert_array_equal(array, self.generator.contents.model.arrays[name])

    def test_an_adapted_generator_is_saved_and_loaded(self, tmp_path):
        adapted = self.generator.adapt(OTHER, backend=self.backend)
        adapted.save(tmp_path / "model")
        assert textforge.load(tmp_path / "model").generate("so", seed=3) == adapted.generate("so", seed=3)

    def test_what_the_vocabulary_lacks_is_refused_or_skipped(self):
        with pytest.raises(EncodingError):
            self.generator.adapt("é" + OTHER, backend=self.backend)
        adapted = self.generator.adapt("é" + OTHER, backend=self.backend, unknown="skip")
        assert adapted.generate("so", seed=3) == self.generator.adapt(OTHER, backend=self.backend).generate(
            "so", seed=3
        )

    def test_a_backend_that_can_t_train_is_refused(self):
        with pytest.raises(BackendError, match=f"the backend numpy only runs .*train with .*{self.backend}"):
            self.generator.adapt(OTHER, backend="numpy")
        with pytest.raises(BackendError, match="the backend numpy only runs"):
            self.generator.evaluate(TextCorpus.of("so"), adapt="numpy")

    def test_a_model_of_windows_is_refused(self):
        contents = self.generator.contents
        windows = attrs.evolve(contents, model=attrs.evolve(contents.model, window=20))
        with pytest.raises(BackendError, match="looks back on a window alone"):
            load_learner(textforge.Plugins(), windows, self.backend)

    def test_a_text_of_one_token_can_t_be_measured(self):
        with pytest.raises(CorpusError):
            measure_adapted_loss(self.learner(), np.array([1]))
