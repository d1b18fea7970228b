"""A model that learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from textforge.backends.base import Optimizer, SavedModel
from textforge.errors import BackendError, BundleError
from textforge_torch import TorchBackend, TorchConvBackend

VOCABULARY = 7
ROWS, LENGTH = 4, 10


SMALL = {
    TorchBackend: {"hidden_size": 16, "embedding_size": 8},
    TorchConvBackend: {"channels": 12, "embedding_size": 8, "num_layers": 3, "kernel_size": 3},
}

both = pytest.mark.parametrize("backend", SMALL)


def make(dropout=0.0, precision="float32", seed=1, backend=TorchBackend, **options):
    options = SMALL[backend] | options
    return backend(device="cpu", dropout=dropout, precision=precision, **options).create(VOCABULARY, seed)


def batch(step, windows=False):
    block = np.random.default_rng(step).integers(0, VOCABULARY, (ROWS, LENGTH + 1)).astype(np.uint8)
    return block[:, :-1], block[:, -1] if windows else block[:, 1:]


def train(model, steps, state=None, rate=0.01, windows=False):
    state = model.start(ROWS) if state is None else state
    for step in steps:
        _, state = model.train_step(*batch(step, windows), state, learning_rate=rate, step=step)
    return state


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one) and set(one) == set(other)


@both
@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls_on_a_text_that_repeats(backend, name, precision):
    model = make(backend=backend, precision=precision, dropout=0.1)
    model.begin(Optimizer(name=name), seed=0)
    text = np.arange(ROWS * LENGTH * 2) % VOCABULARY
    block = np.stack([text[row : row + LENGTH + 1] for row in range(ROWS)])
    rate = {"adam": 0.02, "rmsprop": 0.01 if backend is TorchBackend else 0.003, "sgd": 0.5}[name]
    losses = []
    for step in range(60):
        loss, _ = model.train_step(block[:, :-1], block[:, 1:], model.start(ROWS), learning_rate=rate, step=step)
        losses.append(float(loss))
    assert losses[0] == pytest.approx(math.log(VOCABULARY), abs=0.3)
    assert float(model.loss(block[:, :-1], block[:, 1:], model.start(ROWS))[0]) < 0.3


@pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"embedding_size": None}], ids=str)
@both
def test_the_loss_is_the_textbook_s(backend, options, windows, loss_by_the_book):
    model = make(backend=backend, **options, dropout=0.5)
    loss, _ = model.loss(*batch(0, windows), model.start(ROWS))
    assert float(loss) == pytest.approx(loss_by_the_book(model.save(), *batch(0, windows)), abs=1e-6)


@both
def test_what_is_carried_on_keeps_its_shape(backend):
    model = make(backend=backend)
    state = model.start(ROWS)
    _, after = model.loss(*batch(0), state)
    assert list(after) == list(state)
    for name, value in state.items():
        assert after[name].shape == value.shape
        assert after[name].is_contiguous()
        assert not torch.equal(after[name], value)


@both
def test_the_loss_is_that_of_the_logits_and_carries_the_state_on(backend):
    model = make(backend=backend)
    (inputs, targets), (more, more_targets) = batch(0), batch(1)
    _, state = model.loss(inputs, targets, model.start(ROWS))
    loss, _ = model.loss(more, more_targets, state)
    logits = model.forward(np.concatenate([inputs, more], axis=1), model.start(ROWS))[:, LENGTH:].astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    wanted = -np.take_along_axis(logs, more_targets[..., None].astype(int), axis=-1).mean()
    assert float(loss) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
@pytest.mark.parametrize("options", [{"num_layers": 2}, {"embedding_size": None}], ids=str)
@both
def test_gradients_are_those_of_the_textbook_s_loss(backend, options, windows, loss_by_the_book):
    """Along a random direction, by a difference of losses in float64."""
    size = {"hidden_size": 6} if backend is TorchBackend else {"channels": 6}
    model = make(backend=backend, **options, **size)
    before = model.save()
    model.begin(Optimizer(name="sgd", clip_norm=None, momentum=0.0), seed=0)
    train(model, [0], rate=1.0, windows=windows)
    after = model.save().arrays
    random = np.random.default_rng(5)
    direction = {name: random.normal(size=array.shape) for name, array in before.arrays.items()}

    def loss_at(distance):
        arrays = {name: array + distance * direction[name] for name, array in before.arrays.items()}
        moved = SavedModel(before.architecture, before.options, VOCABULARY, arrays)
        return loss_by_the_book(moved, *batch(0, windows))

    slope = (loss_at(1e-4) - loss_at(-1e-4)) / 2e-4
    learnt = sum(((before.arrays[name] - after[name]) * direction[name]).sum() for name in after)
    assert learnt == pytest.approx(slope, rel=1e-3, abs=1e-5)


@both
@pytest.mark.parametrize("stop", [0, 1, 4])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_resumed_training_is_the_same_bit_for_bit(backend, name, precision, stop):
    settings = {"dropout": 0.3, "num_layers": 2, "precision": precision}
    whole = make(backend=backend, **settings)
    whole.begin(Optimizer(name=name), seed=9)
    end = train(whole, range(8))

    first = make(backend=backend, **settings)
    first.begin(Optimizer(name=name), seed=9)
    state = train(first, range(stop))
    saved, arrays = first.save(), first.training_arrays(state)

    second = backend(device="cpu", precision=precision).load(saved)
    second.begin(Optimizer(name=name), seed=9)
    resumed_end = train(second, range(stop, 8), second.restore(arrays))

    assert same(whole.save().arrays, second.save().arrays)
    assert same(whole.training_arrays(end), second.training_arrays(resumed_end))


@both
@pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
def test_training_is_the_same_each_time(backend, windows):
    runs = []
    for _ in range(2):
        model = make(backend=backend, dropout=0.4)
        model.begin(Optimizer(), seed=2)
        train(model, range(5), windows=windows)
        runs.append(model.save().arrays)
    assert same(*runs)


@both
def test_dropout_depends_on_the_seed_and_the_step(backend):
    losses = {}
    for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
        model = make(backend=backend, dropout=0.5)
        model.begin(Optimizer(), seed=seed)
        loss, _ = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.0, step=step)
        assert losses.setdefault((seed, step), float(loss)) == float(loss)
    assert len(set(losses.values())) == 3


def test_dropout_drops_its_share_of_every_layer_and_keeps_the_mean():
    from textforge_torch._dropout import SeededDropout

    dropped = SeededDropout(0.25, seed=3, device=torch.device("cpu")).at_step(7)(torch.ones(200, 500))
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("layers", "windows", "shapes"),
    [
        (1, False, [(LENGTH, ROWS, 16)]),
        (2, False, [(LENGTH, ROWS, 16)] * 2),
        (2, True, [(LENGTH, ROWS, 16), (1, ROWS, 16)]),
    ],
)
def test_dropout_is_on_each_layer_s_output_where_it_counts(monkeypatch, layers, windows, shapes):
    from textforge_torch._dropout import SeededDropout

    seen = []
    monkeypatch.setattr(SeededDropout, "__call__", lambda self, values: seen.append(tuple(values.shape)) or values)
    model = make(dropout=0.5, num_layers=layers)
    model.begin(Optimizer(), seed=0)
    train(model, [0], windows=windows)
    assert seen == shapes


@pytest.mark.parametrize(
    ("windows", "lengths"), [(False, [LENGTH] * 3), (True, [LENGTH, 9, 1])], ids=["stream", "windows"]
)
def test_dropout_is_on_what_each_convolution_adds_where_it_counts(monkeypatch, windows, lengths):
    """The third layer looks 8 positions back, so that of the second's outputs the last nine count."""
    from textforge_torch._dropout import SeededDropout

    seen = []
    monkeypatch.setattr(SeededDropout, "__call__", lambda self, values: seen.append(tuple(values.shape)) or values)
    model = make(backend=TorchConvBackend, dropout=0.5)
    model.begin(Optimizer(), seed=0)
    train(model, [0], windows=windows)
    assert seen == [(length, ROWS, 12) for length in lengths]


def test_all_that_convolutions_add_may_be_dropped():
    """Then only the input reaches the output, so that what came before makes no difference."""
    model = make(backend=TorchConvBackend)
    network = model._network
    ids = torch.tensor(batch(0)[0].T.astype(np.int64))
    logits, _ = network(ids, network.start(ROWS), dropout=torch.zeros_like)
    expected = network.output(network.input(network.embedding(ids)))
    torch.testing.assert_close(logits, expected)


@both
def test_neither_making_nor_training_touches_torch_s_random_numbers(backend):
    torch.manual_seed(4)
    before = torch.get_rng_state()
    model = make(backend=backend, dropout=0.5)
    model.begin(Optimizer(), seed=0)
    train(model, range(2))
    assert torch.equal(torch.get_rng_state(), before)


@both
def test_generating_in_between_changes_nothing(backend):
    runs = []
    for generates in (False, True):
        model = make(backend=backend, dropout=0.3)
        model.begin(Optimizer(), seed=0)
        state = train(model, range(3))
        if generates:
            own = model.start(2)
            model.forward(batch(0)[0][:2], own)
            model.step(np.array([1, 2]), own)
            model.loss(*batch(7), state)
        train(model, range(3, 6), state)
        runs.append(model.save().arrays)
    assert same(*runs)


@both
def test_a_state_from_generating_can_be_trained_on(backend):
    model = make(backend=backend)
    model.begin(Optimizer(), seed=0)
    state = model.start(ROWS)
    model.forward(batch(0)[0], state)
    train(model, [0], state)


@both
def test_validating_learns_nothing(backend):
    model = make(backend=backend, dropout=0.3)
    before = model.save().arrays
    model.loss(*batch(0), model.start(ROWS))
    assert same(model.save().arrays, before)


@both
def test_the_state_before_a_step_is_left_as_it_was(backend):
    model = make(backend=backend)
    model.begin(Optimizer(), seed=0)
    state = model.start(ROWS)
    _, after = model.train_step(*batch(0), state, learning_rate=0.1, step=0)
    for name, value in state.items():
        assert not value.any()
        assert not after[name].requires_grad
        assert after[name].grad_fn is None


def test_the_loss_can_wait():
    model = make()
    model.begin(Optimizer(), seed=0)
    loss, _ = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.1, step=0)
    now = float(loss)
    train(model, range(1, 4))
    assert float(loss) == now
    assert not loss.requires_grad


def test_torch_s_second_bias_stays_zero():
    model = make(num_layers=2)
    model.begin(Optimizer(), seed=0)
    train(model, range(3))
    for layer in model._network.layers:
        assert not layer.bias_hh_l0.any()
    assert model.save().arrays["lstm.1.bias"].any()


def test_training_arrays_have_canonical_names():
    model = make()
    model.begin(Optimizer(), seed=0)
    arrays = model.training_arrays(train(model, range(2)))
    weights = model.save().arrays
    names = {f"{moment}/{name}" for moment in ("moment1", "moment2") for name in weights}
    assert set(arrays) == names | {"optimizer.step", "state/hidden", "state/cell"}
    assert arrays["optimizer.step"].tolist() == [2]
    assert arrays["state/cell"].shape == (1, ROWS, 16)
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        if name.startswith("moment"):
            assert array.shape == weights[name.partition("/")[2]].shape


def test_what_a_convolution_carries_on_has_canonical_names():
    model = make(backend=TorchConvBackend)
    model.begin(Optimizer(), seed=0)
    arrays = model.training_arrays(train(model, range(2)))
    shapes = {name: array.shape for name, array in arrays.items() if name.startswith("state/")}
    assert shapes == {f"state/conv.{layer}": (ROWS, 2 * 2**layer, 12) for layer in range(3)}
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays.values())


@both
def test_training_arrays_are_a_copy(backend):
    model = make(backend=backend)
    model.begin(Optimizer(), seed=0)
    state = train(model, range(2))
    arrays = model.training_arrays(state)
    kept = {name: array.copy() for name, array in arrays.items()}
    train(model, range(2, 4), state)
    assert same(arrays, kept)


@both
def test_begin_forgets_what_an_earlier_run_left(backend):
    runs = []
    for trained_before in (False, True):
        model = make(backend=backend, dropout=0.2)
        saved = model.save()
        if trained_before:
            model.begin(Optimizer(), seed=5)
            train(model, range(2))
            model = backend(device="cpu").load(saved)
        model.begin(Optimizer(), seed=1)
        model.begin(Optimizer(), seed=0)
        train(model, range(3))
        runs.append(model.save().arrays)
    assert same(*runs)


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        *((TorchBackend, name) for name in ("state/hidden", "state/cell", "moment1/lstm.0.bias", "optimizer.step")),
        *((TorchConvBackend, name) for name in ("state/conv.0", "state/conv.2", "moment2/conv.1.weight")),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(backend, name):
    model = make(backend=backend)
    model.begin(Optimizer(), seed=0)
    arrays = model.training_arrays(model.start(ROWS))
    with pytest.raises(
        BundleError, match=f"^the checkpoint's {name} has shape|^the checkpoint has shape .* for {name}"
    ):
        model.restore(arrays | {name: np.zeros((3, 3), dtype=np.float32)})
    del arrays[name]
    with pytest.raises(BundleError, match=rf"^the checkpoint (lacks|has nothing for) {name}"):
        model.restore(arrays)


@pytest.mark.parametrize(("name", "rows"), [("state/hidden", "1 rows"), ("state/cell", "4 rows")])
def test_a_carried_state_whose_rows_differ_is_refused(name, rows):
    model = make()
    model.begin(Optimizer(), seed=0)
    arrays = model.training_arrays(model.start(4))
    with pytest.raises(BundleError, match=rf"^the checkpoint has {rows} of state/hidden, but . of state/cell: train"):
        model.restore(arrays | {name: arrays[name][:, :1]})


@both
def test_float64_is_not_for_training(backend):
    with pytest.raises(BackendError, match=r"^torch: precision=float64 is for generating and evaluating"):
        make(backend=backend, precision="float64").begin(Optimizer(), seed=0)


@both
def test_float64_evaluates(backend, loss_by_the_book):
    model = make(backend=backend, precision="float64")
    loss, _ = model.loss(*batch(0), model.start(ROWS))
    assert float(loss) == pytest.approx(loss_by_the_book(model.save(), *batch(0)), abs=1e-12)


@both
def test_mixed_precision_is_for_training_alone(backend):
    mixed, plain = make(backend=backend, precision="bfloat16"), make(backend=backend)
    np.testing.assert_array_equal(
        mixed.forward(batch(0)[0], mixed.start(ROWS)), plain.forward(batch(0)[0], plain.start(ROWS))
    )
    assert float(mixed.loss(*batch(0), mixed.start(ROWS))[0]) == float(plain.loss(*batch(0), plain.start(ROWS))[0])
    for model in (mixed, plain):
        model.begin(Optimizer(), seed=0)
        state = train(model, range(2))
        assert all(value.dtype == torch.float32 for value in state.values())
    assert not same(mixed.save().arrays, plain.save().arrays)
    for name, array in mixed.save().arrays.items():
        np.testing.assert_allclose(array, plain.save().arrays[name], atol=0.05)


def test_training_before_begin_is_an_error():
    model = make()
    calls = [
        lambda: model.train_step(*batch(0), model.start(ROWS), learning_rate=0.1, step=0),
        lambda: model.training_arrays(model.start(ROWS)),
        lambda: model.restore({}),
    ]
    for call in calls:
        with pytest.raises(BackendError, match=r"call begin\(optimizer, seed\) first"):
            call()
