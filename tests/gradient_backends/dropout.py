"""Dropout: which values are dropped, and where."""

from __future__ import annotations

import numpy as np
import pytest

from gradient_backends.framework import each
from gradient_backends.small import LENGTH, ROWS, SmallModels, batch, train
from textforge.model import Optimizer


class DropoutSuite(SmallModels):
    """Masks that depend on seed and step, on what each layer gives."""

    @each
    def test_dropout_depends_on_the_seed_and_the_step(self, architecture):
        losses = {}
        for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
            model = self.make(architecture, dropout=0.5)
            model.begin(Optimizer(), seed=seed)
            loss, _ = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.0, step=step)
            assert losses.setdefault((seed, step), float(loss)) == float(loss)
        assert len(set(losses.values())) == 3

    def test_dropout_drops_its_share_of_every_layer_and_keeps_the_mean(self):
        dropped = self.framework.dropped(0.25, 3, 7, np.ones((20, 10, 500), dtype=np.float32))
        assert set(np.unique(dropped)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
        assert float((dropped == 0).mean()) == pytest.approx(0.25, abs=0.01)

    @pytest.mark.parametrize(
        ("layers", "windows", "shapes"),
        [
            (1, False, [(LENGTH, ROWS, 16)]),
            (2, False, [(LENGTH, ROWS, 16)] * 2),
            (2, True, [(LENGTH, ROWS, 16), (1, ROWS, 16)]),
        ],
    )
    def test_dropout_is_on_each_layer_s_output_where_it_counts(self, monkeypatch, layers, windows, shapes):
        seen = self.framework.watch_dropout(monkeypatch)
        model = self.make("lstm", dropout=0.5, num_layers=layers)
        model.begin(Optimizer(), seed=0)
        train(model, [0], windows=windows)
        assert seen == shapes

    @pytest.mark.parametrize(
        ("windows", "lengths"), [(False, [LENGTH] * 3), (True, [LENGTH, 9, 1])], ids=["stream", "windows"]
    )
    def test_dropout_is_on_what_each_convolution_adds_where_it_counts(self, monkeypatch, windows, lengths):
        """The third layer looks 8 positions back, so that of the second's outputs the last nine count."""
        seen = self.framework.watch_dropout(monkeypatch)
        model = self.make("conv", dropout=0.5)
        model.begin(Optimizer(), seed=0)
        train(model, [0], windows=windows)
        assert seen == [(length, ROWS, 12) for length in lengths]

    @pytest.mark.parametrize(("windows", "last"), [(False, LENGTH), (True, 1)], ids=["stream", "windows"])
    def test_dropout_is_on_what_both_parts_of_a_layer_of_a_transformer_add(self, monkeypatch, windows, last):
        seen = self.framework.watch_dropout(monkeypatch)
        model = self.make("gpt", dropout=0.5)
        model.begin(Optimizer(), seed=0)
        train(model, [0], windows=windows)
        assert seen == [(length, ROWS, 12) for length in (LENGTH, LENGTH, last, last)]
