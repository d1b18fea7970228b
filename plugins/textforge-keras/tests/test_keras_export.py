"""The format ``keras``: a model that Keras loads where there is no textforge."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import attrs
import leaky_plugin
import numpy as np
import pytest
from export_samples import exact_logits, saved_conv, saved_lstm

import textforge
from textforge.encoders.char import CharEncoder
from textforge.errors import ExportError
from textforge.library.exporting import export

LSTMS = {
    "default": {},
    "three-layers": {"num_layers": 3, "hidden_size": 12, "dropout": 0.0},
    "one-hot": {"embedding_size": None, "num_layers": 2, "hidden_size": 9},
    "tiny": {"hidden_size": 1, "embedding_size": 1},
}
CONVS = {
    "default": {},
    "wide": {"num_layers": 3, "kernel_size": 3, "dilation_growth": 3, "channels": 10, "dropout": 0.0},
    "one-hot": {"embedding_size": None, "num_layers": 4, "channels": 9, "dilation_growth": 1},
    "tiny": {"embedding_size": 1, "num_layers": 1, "channels": 1},
}
ENCODER = CharEncoder().fit(["abcdefghij\n"])
README = Path(__file__).parents[1] / "README.md"
WITHOUT_TEXTFORGE = "import sys\nsys.modules['textforge'] = sys.modules['textforge_keras'] = None\n"

# Keras asks its variables for a copy in NumPy's old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def some_ids(rows, length):
    return np.random.default_rng(5).integers(0, 11, (rows, length))


def load(path):
    import keras

    return keras.models.load_model(path, safe_mode=True)


def run_without_textforge(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEXTFORGE + code], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("options", LSTMS.values(), ids=LSTMS)
def test_keras_gives_the_same_logits(options, tmp_path):
    check_logits(saved_lstm(**options), tmp_path)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_a_convolutional_network_s_are_the_same_too(options, tmp_path):
    check_logits(saved_conv(**options), tmp_path)


def check_logits(saved, tmp_path):
    export(saved, ENCODER, "keras", tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    for rows in (1, 16):
        ids = some_ids(rows, 320 // rows)
        logits = np.asarray(model(ids))
        np.testing.assert_allclose(logits, exact_logits(saved, ids), rtol=0, atol=1e-5)


def test_weights_as_large_as_trained_ones_agree_too(tmp_path):
    saved = saved_lstm(scale=3)
    made = export(saved, ENCODER, "keras", tmp_path / "model.keras")
    ids = some_ids(1, 200)
    np.testing.assert_allclose(np.asarray(load(made.path)(ids)), exact_logits(saved, ids), rtol=0, atol=1e-4)
    assert 0 < made.distance < 1e-4


def test_a_process_without_textforge_loads_it(tmp_path):
    ids = some_ids(2, 30)
    np.save(tmp_path / "ids.npy", ids)
    saved = {"lstm": saved_lstm(num_layers=2, hidden_size=12), "conv": saved_conv(num_layers=2)}
    for name, one in saved.items():
        export(one, ENCODER, "keras", tmp_path / f"{name}.keras")
    run_without_textforge(
        "import keras, numpy as np\n"
        "for name in ('lstm', 'conv'):\n"
        "    model = keras.models.load_model(name + '.keras', safe_mode=True)\n"
        "    np.save(name + '.npy', model.predict(np.load('ids.npy'), verbose=0))\n",
        tmp_path,
    )
    for name, one in saved.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), exact_logits(one, ids), rtol=0, atol=1e-5)


def test_its_layers_are_keras_s_own_and_named_as_the_weights_are(tmp_path):
    export(saved_lstm(num_layers=2), ENCODER, "keras", tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert [(layer.name, type(layer).__name__) for layer in model.layers] == [
        ("ids", "InputLayer"),
        ("embedding", "Embedding"),
        ("lstm.0", "LSTM"),
        ("dropout.0", "Dropout"),
        ("lstm.1", "LSTM"),
        ("dropout.1", "Dropout"),
        ("output", "Dense"),
    ]
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    assert model.get_layer("dropout.1").rate == 0.1
    assert (model.input_shape, model.output_shape) == ((None, None), (None, None, 11))


def test_a_convolutional_network_s_layers_are_keras_s_own_too(tmp_path):
    export(saved_conv(num_layers=1, kernel_size=3, channels=7), ENCODER, "keras", tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert {layer.name: type(layer).__name__ for layer in model.layers} == {
        "ids": "InputLayer",
        "embedding": "Embedding",
        "input": "Dense",
        "conv.0.value": "Conv1D",
        "conv.0.gate": "Conv1D",
        "gated.0": "Multiply",
        "dropout.0": "Dropout",
        "values.0": "Add",
        "output": "Dense",
    }
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def test_one_hot_input_is_no_weight(tmp_path):
    saved = saved_lstm(embedding_size=None, vocabulary_size=500, hidden_size=4)
    export(saved, CharEncoder().fit([chr(0x4E00 + n) for n in range(500)]), "keras", tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    assert model.count_params() == sum(array.size for array in saved.arrays.values())
    weights = sum(array.nbytes for array in saved.arrays.values())
    assert (tmp_path / "model.keras").stat().st_size < weights + 60_000


def test_the_file_says_what_the_model_is(tmp_path):
    saved = attrs.evolve(saved_lstm(), window=40)
    export(saved, ENCODER, "keras", tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        about = json.loads(archive.read("textforge.json"))
    assert (about["options"], about["vocabulary_size"], about["window"]) == (saved.options, 11, 40)
    assert "".join(about["tokens"]) == ENCODER.vocabulary


@pytest.mark.parametrize("make", [saved_lstm, saved_conv])
def test_no_random_number_is_used(make, tmp_path):
    import keras

    random.seed(1)
    keras.utils.set_random_seed(2)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = keras.random.uniform((3,)).numpy()
    keras.utils.set_random_seed(2)
    export(make(num_layers=2), ENCODER, "keras", tmp_path / "model.keras")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    np.testing.assert_array_equal(keras.random.uniform((3,)).numpy(), first)


TRAINED = {
    "lstm": lambda: saved_lstm(hidden_size=16),
    "one-hot": lambda: saved_lstm(hidden_size=16, embedding_size=None),
    "conv": lambda: saved_conv(channels=16, num_layers=2),
}


@pytest.mark.parametrize("make", TRAINED.values(), ids=TRAINED)
def test_it_can_be_trained_on(make, tmp_path):
    import keras

    saved = make()
    export(saved, ENCODER, "keras", tmp_path / "model.keras")
    model = load(tmp_path / "model.keras")
    ids = np.tile(np.arange(11), 12)[:128].reshape(8, 16)
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(ids[:, :-1], ids[:, 1:], epochs=15, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_a_clone_starts_from_weights_that_can_learn(tmp_path):
    import keras

    export(saved_lstm(num_layers=2), ENCODER, "keras", tmp_path / "model.keras")
    clone = keras.models.clone_model(load(tmp_path / "model.keras"))
    for name in ("embedding", "lstm.0", "lstm.1", "output"):
        assert np.std(clone.get_layer(name).get_weights()[0]) > 0.01


def test_a_name_that_keras_would_not_load_is_refused(tmp_path):
    for name in ("model.h5", "model"):
        message = f"^a file of the format keras must end in .keras, got {name}: call it model.keras$"
        with pytest.raises(ExportError, match=message):
            export(saved_lstm(), ENCODER, "keras", tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{}, {"embedding_size": None}])
@pytest.mark.parametrize("make", [saved_lstm, saved_conv])
def test_keras_s_own_settings_change_nothing(make, options, tmp_path, other_settings):
    check_logits(make(num_layers=2, **options), tmp_path)


def test_an_architecture_without_a_model_is_refused(tmp_path):
    plugins = textforge.Plugins([leaky_plugin])
    message = "^a model of the architecture 'leaky' can't be written as 'keras'; formats for it: onnx$"
    with pytest.raises(ExportError, match=message):
        export(leaky_plugin.Leaky().create(11, 1), ENCODER, "keras", tmp_path / "model.keras", plugins=plugins)


STRANGER = """
import textforge

def leaky_model(saved, architecture):
    import keras
    ids = keras.Input((None,), dtype="int32")
    vectors = keras.layers.Embedding(saved.vocabulary_size, architecture.size, name="embedding")(ids)
    fading = keras.layers.SimpleRNN(
        architecture.size, activation=None, use_bias=False, return_sequences=True, name="trace"
    )
    logits = keras.layers.Dense(saved.vocabulary_size, use_bias=False, name="output")(fading(vectors))
    model = keras.Model(ids, logits)
    one = keras.ops.eye(architecture.size)
    model.get_layer("embedding").set_weights([saved.arrays["embedding.weight"]])
    model.get_layer("trace").set_weights([one, one * SHARE])
    model.get_layer("output").set_weights([saved.arrays["output.weight"].T])
    return model

@textforge.hookimpl
def register_implementations(register):
    register(format="keras", architecture="leaky", by="fake_leaky:leaky_model")
"""


@pytest.mark.parametrize("share", [0.5, 0.501])
def test_a_stranger_s_architecture_brings_its_own_model(share, tmp_path, monkeypatch):
    """The second one's is wrong."""
    (tmp_path / "fake_leaky.py").write_text(STRANGER.replace("SHARE", str(share)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_leaky", raising=False)
    plugins = textforge.Plugins([leaky_plugin, "fake_leaky"])
    saved, path = leaky_plugin.Leaky(size=6).create(11, 1), tmp_path / "model.keras"
    if share != 0.5:
        with pytest.raises(ExportError, match=r"^the format keras wrote a file whose logits differ"):
            export(saved, ENCODER, "keras", path, plugins=plugins)
        return
    assert export(saved, ENCODER, "keras", path, plugins=plugins).distance < 1e-5


def test_the_readme_s_lines_load_it(tmp_path):
    """As they stand, in a process that has no textforge."""
    export(saved_lstm(hidden_size=8), ENCODER, "keras", tmp_path / "model.keras")
    [block] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    written = run_without_textforge(block, tmp_path)
    assert len(written) == 40
    assert set(written) <= set(ENCODER.vocabulary)
