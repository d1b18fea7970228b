"""A model that learns."""

from __future__ import annotations

import numpy as np
import torch
from gradient_backends.dropout import DropoutSuite
from gradient_backends.framework import each
from gradient_backends.resuming import ResumingSuite
from gradient_backends.small import ROWS, batch, train
from gradient_backends.training import TrainingSuite

from textforge.model import Optimizer


class TestTraining(TrainingSuite):
    """The suite that every framework is held to, and what only tensors of PyTorch have."""

    @each
    def test_what_is_carried_on_lies_in_one_piece(self, architecture):
        model = self.make(architecture)
        _, after = model.loss(*batch(0), model.start(ROWS))
        assert all(value.is_contiguous() for value in after.values())

    @each
    def test_what_is_carried_on_has_no_gradients(self, architecture):
        model = self.make(architecture)
        model.begin(Optimizer(), seed=0)
        loss, after = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.1, step=0)
        assert not loss.requires_grad
        for value in after.values():
            assert not value.requires_grad
            assert value.grad_fn is None

    def test_torch_s_second_bias_stays_zero(self):
        model = self.make("lstm", num_layers=2)
        model.begin(Optimizer(), seed=0)
        train(model, range(3))
        for layer in model.network.layers:
            assert not layer.bias_hh_l0.any()
        assert model.save().arrays["lstm.1.bias"].any()


class TestDropout(DropoutSuite):
    """The suite that every framework is held to, and a network without what was dropped."""

    def test_all_that_convolutions_add_may_be_dropped(self):
        """Then only the input reaches the output, so that what came before makes no difference."""
        model = self.make("conv")
        network = model.network
        ids = torch.tensor(batch(0)[0].T.astype(np.int64))
        logits, _ = network(ids, model.start(ROWS), dropout=torch.zeros_like)
        expected = network.output(network.input(network.embedding(ids)))
        torch.testing.assert_close(logits, expected)


class TestResuming(ResumingSuite):
    """The suite that every framework is held to."""
