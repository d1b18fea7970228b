"""The memory that a run needs, and the refusal of one that can't be had."""

from __future__ import annotations

from pathlib import Path

import bigram_plugin
import pytest

import textforge
from textforge.architectures.lstm import LSTM
from textforge.backends import memory as machine
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.word import WordEncoder
from textforge.errors import TrainingError
from textforge.training.memory import refuse_too_large, refuse_untrainable
from textforge.training.settings import TrainingSettings

BYTES = ByteEncoder().fit([])
WORDS = WordEncoder(vocabulary=tuple(f"word{number}" for number in range(2_000)))
SETTINGS = TrainingSettings(seed=1)


def refuses(memory: int | None, tokens: int = 10_000, settings: TrainingSettings = SETTINGS) -> bool:
    try:
        refuse_untrainable(LSTM(), BYTES, settings, tokens, memory)
    except TrainingError:
        return True
    return False


def test_what_a_run_holds_is_counted() -> None:
    parameters = sum(weight.size for weight in LSTM().weights(256).values())
    logits = 2 * 4 * 256  # and their gradient, of a prediction
    adam = 4 * 4 * parameters  # weights, gradients, two moments
    for tokens, settings, of_parameters, predictions in [
        (10_000, SETTINGS, adam, 16 * 64),
        (100, SETTINGS, adam, 64),
        (10_000, SETTINGS.replace(sequences="windows", batch_size=7), adam, 7),
        (10_000, SETTINGS.replace(optimizer="sgd"), 3 * 4 * parameters, 16 * 64),
    ]:
        needed = of_parameters + predictions * logits
        assert not refuses(needed, tokens, settings)
        assert refuses(needed - 1, tokens, settings)
    assert not refuses(None)


def message_of(encoder: textforge.Encoder, settings: TrainingSettings, memory: int) -> str:
    with pytest.raises(TrainingError) as error:
        refuse_untrainable(LSTM(), encoder, settings, 10**6, memory)
    return str(error.value)


def test_many_logits_need_a_smaller_vocabulary_or_batch() -> None:
    assert message_of(WORDS, SETTINGS.replace(batch_size=4096), 10**9) == (
        "the model is too large to be trained in 1 GB of memory: 534,224 parameters need 8.55 MB or more, and the "
        "logits of 262,144 predictions of 2,256 tokens 4.73 GB; learn fewer tokens by "
        "encoder='word:max_vocabulary=1128', or take fewer sequences at once by batch_size=686"
    )


def test_what_is_advised_fits() -> None:
    settings = SETTINGS.replace(batch_size=100_000)
    for memory in (10**8, 10**9):
        message = message_of(BYTES, settings, memory)
        rows = int(message.rpartition("batch_size=")[2])
        refuse_untrainable(LSTM(), BYTES, settings.replace(batch_size=rows), 10**6, memory)


def test_a_vocabulary_that_can_not_change_is_not_advised_against() -> None:
    settings = SETTINGS.replace(batch_size=4096)
    with pytest.raises(TrainingError, match=r"4\.73 GB; take fewer sequences at once by batch_size=686$"):
        refuse_untrainable(LSTM(), WORDS, settings, 10**6, 10**9, encoder_may_change=False)


def test_weights_that_no_memory_holds() -> None:
    with pytest.raises(
        TrainingError, match=r"148,224 parameters take 0\.593 MB; make it smaller by the options of lstm"
    ):
        refuse_too_large(LSTM(), BYTES, 500_000)
    refuse_too_large(LSTM(), BYTES, 600_000)
    refuse_too_large(LSTM(), BYTES, None)


def test_many_parameters_need_a_smaller_model() -> None:
    assert message_of(BYTES, SETTINGS, 10**6) == (
        "the model is too large to be trained in 1 MB of memory: 148,224 parameters need 2.37 MB or more, and the "
        "logits of 1,024 predictions of 256 bytes 2.1 MB; make it smaller by the options of lstm"
    )


@pytest.mark.parametrize(
    ("memory", "message"),
    [(1000, r"for 0\.001 MB of memory: 512 parameters take"), (5000, r"to be trained in 0\.005 MB of memory")],
)
def test_a_run_asks_its_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memory: int, message: str) -> None:
    registry = textforge.Plugins([bigram_plugin], disabled="all")
    arguments = {"architecture": "bigram", "backend": "bigram", "plugins": registry, "epochs": 1}
    text = ["to be or not to be, that is the question. " * 100]
    textforge.train(text=text, **arguments)
    monkeypatch.setattr(bigram_plugin.BigramBackend, "find_memory", lambda self: memory)
    with pytest.raises(TrainingError, match=f"^the model is too large {message}"):
        textforge.train(text=text, output=tmp_path / "model", **arguments)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("limit", "found"), [("max\n", None), ("4096\n", 4096), ("no number", None)])
def test_a_container_has_its_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, found: int | None
) -> None:
    file = tmp_path / "memory.max"
    file.write_text(limit)
    monkeypatch.setattr(machine, "_LIMITS", (file, tmp_path / "missing"))
    whole = machine.find_machine_memory()
    assert whole == found if found else whole is None or whole > 10**8


def test_a_system_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LIMITS", ())
    monkeypatch.delattr("os.sysconf", raising=False)
    assert machine.find_machine_memory() is None
