"""Training that goes on from a model on another text: the vocabulary, the lineage, and the older text mixed in."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest
from click.testing import CliRunner
from support import LettersEncoder

import textforge
from textforge.bundle import Bundle
from textforge.cli import main
from textforge.errors import EncodingError, TrainingError
from textforge.library.baseline import train_baseline
from textforge.library.reading import parse_replay
from textforge.plugins.registry import Plugins

OLD = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12
NEW = "Ça va? Le texte est bref, et voilà que c'est tout. \n" * 12


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "old.txt", OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write(tmp_path / "new.txt", NEW)


@pytest.fixture
def registry() -> Plugins:
    return Plugins([bigram_plugin], disabled="all")


class Watch(textforge.Report):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.results: list[Any] = []
        self.runs: list[Any] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def start(self, run: Any) -> None:
        self.runs.append(run)

    def epoch(self, result: Any, model: Any) -> None:
        self.results.append(result)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr.splitlines()[-1]


def train(corpus: Path, plugins: Plugins, **more: Any) -> textforge.TextGenerator:
    return textforge.train(corpus, backend="bigram", plugins=plugins, **{"seed": 1, "epochs": 2} | more)


def test_old_tokens_keep_their_rows_by_their_text_and_new_ones_are_drawn(
    old: Path, new: Path, registry: Plugins
) -> None:
    before = train(old, registry)
    after = train(new, registry, from_model=before, epochs=1, learning_rate=1e-9)
    known = before.encoder.vocabulary_size
    assert [after.encoder.token_text(id) for id in range(known)] == list(before.encoder.vocabulary)
    assert set(after.encoder.vocabulary[known:]) == set(NEW) - set(OLD)
    drawn = bigram_plugin.Bigram().create(after.encoder.vocabulary_size, seed=1).arrays
    for name, array in after.model.save().arrays.items():
        np.testing.assert_allclose(array[:known, :known], before.model.save().arrays[name], atol=1e-6)
        np.testing.assert_allclose(array[known:], drawn[name][known:], atol=1e-6)


def test_a_text_of_known_characters_changes_no_shape(old: Path, registry: Plugins) -> None:
    before, watch = train(old, registry), Watch()
    after = train(old, registry, from_model=before, report=watch)
    assert after.encoder == before.encoder
    assert f"from a model in hand: {len(set(OLD))} characters are known, 0 are new" in watch.messages
    assert after.evaluate(old).loss < before.evaluate(old).loss


def test_n_grams_count_on(old: Path, new: Path) -> None:
    before = textforge.train(old, architecture="ngram:order=4", seed=1)
    after = textforge.train(new, from_model=before, seed=1)
    alone = textforge.train(new, architecture="ngram:order=4", seed=1)
    assert after.evaluate(old).loss < 0.5, "the older text is still known"
    assert after.evaluate(new).loss == pytest.approx(alone.evaluate(new).loss, abs=0.1)
    assert after.model.save().options == before.model.save().options


def test_the_lineage_is_kept_and_shown(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    first, second, third = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    train(old, registry, output=first)
    train(new, registry, from_model=first, output=second)
    train(old, registry, from_model=second, output=third)
    lineage = Bundle.open(third).lineage
    assert [ancestor.model for ancestor in lineage] == [str(first), str(second)]
    assert lineage[0].sha256 == Bundle.open(first).files["model"].sha256
    assert lineage[0].best_loss == Bundle.open(first).results.best_loss
    assert [corpus.characters for corpus in lineage[1].corpora] == [len(NEW)]
    told = run("info", third)
    assert f"from            {first}, which had learnt files:paths={old}, to a loss of " in told
    assert json.loads(run("info", third, "--json"))["lineage"][1]["model"] == str(second)
    result = textforge.load(second, plugins=registry).evaluate(old)
    assert result.trained_on == (f"files:paths={old}",), "an ancestor had learnt it"


def test_such_a_run_resumes_exactly(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    train(old, registry, output=tmp_path / "old")
    more = {"from_model": tmp_path / "old", "replay": f"{old}:0.3", "schedule": "constant"}
    whole = train(new, registry, epochs=4, output=tmp_path / "whole", **more)
    train(new, registry, epochs=2, output=tmp_path / "part", **more)
    resumed = textforge.train(output=tmp_path / "part", resume=True, epochs=4, plugins=registry)
    for name, array in whole.model.save().arrays.items():
        np.testing.assert_array_equal(resumed.model.save().arrays[name], array)
    assert Bundle.open(tmp_path / "part").lineage == Bundle.open(tmp_path / "whole").lineage
    write(old, OLD.upper())
    with pytest.raises(TrainingError, match=r"^the corpus is not the one that the run began with"):
        textforge.train(output=tmp_path / "part", resume=True, epochs=5, plugins=registry)


@pytest.mark.parametrize("replay", ["{old}:0.25", "0.25"])
def test_an_older_text_is_mixed_in_and_its_loss_told(
    old: Path, new: Path, tmp_path: Path, registry: Plugins, replay: str
) -> None:
    train(old, registry, output=tmp_path / "old")
    watch = Watch()
    again = train(new, registry, from_model=tmp_path / "old", replay=replay.format(old=old), report=watch, epochs=3)
    learnt = len(NEW) - int(len(NEW) * 0.1)
    assert watch.runs[0].train_tokens == learnt + round(learnt / 3)
    kept = OLD[len(OLD) - int(len(OLD) * 0.1) :]
    expected = again.evaluate(textforge.corpora.text.TextCorpus.of(kept)).loss
    assert watch.results[-1].replay_loss == pytest.approx(expected, abs=1e-6)
    forgetting = Watch()
    train(new, registry, from_model=tmp_path / "old", report=forgetting, epochs=3)
    assert forgetting.results[-1].replay_loss is None
    assert again.evaluate(old).loss < textforge.load(tmp_path / "old", plugins=registry).evaluate(old).loss + 1


def test_more_of_an_older_text_than_it_has_is_repeated(old: Path, new: Path, registry: Plugins) -> None:
    watch = Watch()
    train(new, registry, replay=f"{old}:0.9", report=watch, epochs=1)
    learnt = len(NEW) - int(len(NEW) * 0.1)
    assert watch.runs[0].train_tokens == learnt + round(9 * learnt)


@pytest.mark.parametrize("text", ["old.txt:1", "0", "1.5", "old.txt:nan", ""])
def test_a_share_that_can_not_be(text: str) -> None:
    with pytest.raises(TrainingError, match=r"^replay must be a corpus with its share, > 0 and < 1, such as"):
        parse_replay(text)


def test_nothing_older_is_known(new: Path, registry: Plugins) -> None:
    with pytest.raises(TrainingError, match=r"^there is no older text to replay: name it, such as old.txt:0.2"):
        train(new, registry, replay="0.2")


def test_an_encoder_that_can_not_learn_more_takes_what_it_knows(tmp_path: Path, registry: Plugins) -> None:
    class Fixed(LettersEncoder):
        name = "fixed"

        def encode(self, text: str, *, unknown: Any = "error") -> Any:
            if set(text) - set("abcde"):
                raise EncodingError("z is unknown")
            return super().encode(text)

    before = train(write(tmp_path / "known.txt", "abcde" * 50), registry, encoder=Fixed())
    train(write(tmp_path / "more.txt", "edcba" * 50), registry, from_model=before)
    with pytest.raises(EncodingError, match=r"^z is unknown; the encoder fixed can't learn more than it was fitted to"):
        train(write(tmp_path / "other.txt", "abcz" * 50), registry, from_model=before)


def test_windows_go_on_as_windows(old: Path, new: Path, registry: Plugins) -> None:
    before = train(old, registry, sequences="windows", window=5, stride=1)
    after = train(new, registry, from_model=before)
    assert (after.model.window, after.contents.settings["sequences"]) == (5, "windows")
    assert train(new, registry, from_model=before, sequences="stream").model.window is None


def test_what_does_not_go_together(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    before = train(old, registry)
    for more in ({"encoder": "char"}, {"architecture": "bigram"}):
        with pytest.raises(TrainingError, match="neither encoder nor architecture"):
            train(new, registry, from_model=before, **more)
    with pytest.raises(TrainingError, match=r"takes neither .*from_model"):
        textforge.train(output=tmp_path / "m", resume=True, from_model=before, plugins=registry)
    options = {"--encoder": "char", "--architecture": "ngram"}
    for option, value in options.items():
        message = run("train", new, "--from", tmp_path, "-o", tmp_path / "x", option, value, status=2)
        assert f"--from goes on with the model as it is: leave out {option}." in message
    message = run("train", "--from", tmp_path, "-o", tmp_path / "x", "--resume", status=2)
    assert "--resume goes on with the model as it is: leave out --from." in message
    message = run("train", new, "--from", tmp_path / "none", "-o", tmp_path / "x", status=1)
    assert message.startswith(f"Error: there is no folder {tmp_path / 'none'}; correct the path")
    assert "Missing argument 'CORPUS...'" in run("train", "--from", tmp_path, "-o", tmp_path / "x", status=2)


def test_a_text_that_has_grown_is_told_the_way_on(old: Path, tmp_path: Path, registry: Plugins) -> None:
    train(old, registry, output=tmp_path / "m", epochs=2)
    write(old, OLD + "Ça va.\n")
    with pytest.raises(TrainingError, match=r"has grown by 7 characters .* into another folder: from_model=…$"):
        textforge.train(output=tmp_path / "m", resume=True, epochs=3, plugins=registry)


@pytest.mark.parametrize(
    ("change", "grown"),
    [({"b.txt": "It is so. And so on."}, 11), ({"c.txt": "More."}, 6), ({"b.txt": "It was so."}, None)],
    ids=["the last document has grown", "another document", "another text"],
)
def test_a_folder_that_has_grown_is_told_too(
    tmp_path: Path, registry: Plugins, change: dict[str, str], grown: int | None
) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    write(folder / "a.txt", OLD)
    write(folder / "b.txt", "It is so.")
    train(folder, registry, output=tmp_path / "m", epochs=2)
    for name, text in change.items():
        write(folder / name, text)
    told = f"has grown by {grown} characters" if grown else "the corpus is not the one that the run began with"
    with pytest.raises(TrainingError, match=told):
        textforge.train(output=tmp_path / "m", resume=True, epochs=3, plugins=registry)


def test_a_share_alone_replays_all_that_was_learnt_before(
    old: Path, new: Path, tmp_path: Path, registry: Plugins
) -> None:
    third = write(tmp_path / "third.txt", OLD.swapcase())
    train(old, registry, output=tmp_path / "a")
    train(new, registry, from_model=tmp_path / "a", output=tmp_path / "b")
    train(third, registry, from_model=tmp_path / "b", replay="0.2", output=tmp_path / "c")
    found = {record.spec: record.part for record in Bundle.open(tmp_path / "c").corpora}
    assert found == {f"files:paths={third}": "training", f"files:paths={old}": "replay", f"files:paths={new}": "replay"}


def test_another_text_s_loss_is_not_told_for_an_ancestor_s(
    old: Path, new: Path, tmp_path: Path, registry: Plugins
) -> None:
    train(old, registry, validation_corpus=[str(new)], output=tmp_path / "a")
    after = train(new, registry, from_model=tmp_path / "a", output=tmp_path / "b")
    told = after.evaluate(old)
    assert told.trained_on == (f"files:paths={old}",)
    assert told.trained_validation_loss is None
    assert f"which had learnt files:paths={old}, to a loss" in run("info", tmp_path / "b")


def test_a_baseline_learns_all_that_the_model_did(old: Path, new: Path, registry: Plugins) -> None:
    made = train(old, registry, validation_corpus=str(new))
    counted = train_baseline("ngram:order=2", made.contents, textforge.Plugins())
    alone = textforge.train(old, architecture="ngram:order=2", validation=0, seed=1)
    np.testing.assert_array_equal(
        counted.model.save().arrays["ngram.2.counts"], alone.model.save().arrays["ngram.2.counts"]
    )


@pytest.mark.parametrize("more", [{"validation_corpus": ["-"]}, {"replay": "-:0.2"}])
def test_what_can_not_be_read_again_is_refused_at_once(new: Path, registry: Plugins, more: dict[str, Any]) -> None:
    name = next(iter(more))
    with pytest.raises(TrainingError, match=f"^{name} must be a text that can be read again when the run is resumed"):
        train(new, registry, **more)


def test_a_replay_that_says_little_is_told(new: Path, tmp_path: Path, registry: Plugins) -> None:
    watch = Watch()
    train(new, registry, replay=f"{write(tmp_path / 'tiny.txt', 'Ça')}:0.5", report=watch)
    assert (
        "none of the older text is kept to measure the loss on: it is too short, or validation is 0" in watch.messages
    )
    assert any(message.startswith("the older text is short: it is repeated 2") for message in watch.messages)


def test_a_grown_text_to_validate_on_is_named(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    train(new, registry, validation_corpus=[str(old)], output=tmp_path / "m")
    write(old, OLD + "It is.\n")
    with pytest.raises(TrainingError, match=r"^files:paths=.*old.txt has grown by 7 characters"):
        textforge.train(output=tmp_path / "m", resume=True, epochs=5, plugins=registry)


VALIDATED = [
    {"validation_part": part, "shuffle": shuffle}
    for part, shuffle in itertools.product(("tail", "slices", "documents"), ("none", "documents"))
]


@pytest.mark.parametrize("schedule", [{"schedule": "constant"}, {"schedule": "wsd", "warm_up": 0.0}], ids=str)
@pytest.mark.parametrize("more", VALIDATED, ids=lambda more: "-".join(more.values()))
def test_documents_may_be_kept_and_shuffled_and_the_run_resumes_exactly(
    more: dict[str, Any], schedule: dict[str, Any], tmp_path: Path, registry: Plugins
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(30):
        write(folder / f"{number:02}.txt", f"{number} is the number of this text.\n")
    more = {"batch_size": 4, "sequence_length": 16, **schedule, **more}
    train(folder, registry, epochs=4, output=tmp_path / "whole", **more)
    train(folder, registry, epochs=2, output=tmp_path / "part", **more)
    textforge.train(output=tmp_path / "part", resume=True, epochs=4, plugins=registry)
    resumed, expected = (Bundle.open(tmp_path / name).checkpoint() for name in ("part", "whole"))
    assert resumed is not None
    assert expected is not None
    for name, array in expected.model.arrays.items():
        np.testing.assert_array_equal(resumed.model.arrays[name], array)


def test_another_text_to_validate_on(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    watch = Watch()
    made = train(new, registry, validation_corpus=[str(old)], report=watch, output=tmp_path / "m")
    assert (watch.runs[0].train_tokens, watch.runs[0].validation_tokens) == (len(NEW), len(OLD))
    assert watch.results[-1].validation_loss == pytest.approx(made.evaluate(old).loss, abs=1e-6)
    assert [record.part for record in Bundle.open(tmp_path / "m").corpora] == ["training", "validation"]
    assert made.evaluate(old).trained_on == ()
    assert made.evaluate(new).trained_on == (f"files:paths={new}",)
    textforge.train(output=tmp_path / "m", resume=True, epochs=3, plugins=registry)


@pytest.mark.parametrize(
    ("name", "written"), [("validation_corpus", "{}"), ("replay", "{}:0.3")], ids=["validation", "replay"]
)
def test_a_text_that_moved_is_named_anew(
    old: Path, new: Path, tmp_path: Path, registry: Plugins, name: str, written: str
) -> None:
    model = tmp_path / "model"
    other = write(tmp_path / "other.txt", OLD)
    source = train(old, registry)
    train(new, registry, from_model=source, output=model, **{name: written.format(other)})
    moved = other.rename(tmp_path / "moved.txt")
    resume = functools.partial(textforge.train, output=model, resume=True, plugins=registry)
    with pytest.raises(textforge.TextforgeError, match="if it moved, name it anew"):
        resume(epochs=4)
    changed = write(tmp_path / "changed.txt", OLD.upper())
    with pytest.raises(TrainingError, match="the corpus is not the one that the run began with"):
        resume(epochs=4, **{name: written.format(changed)})
    resume(epochs=4, **{name: written.format(moved)})
    assert str(moved) in (model / "config.json").read_text(encoding="utf-8")
    resume(epochs=5)


@pytest.mark.parametrize("named", [{"validation_corpus": "-"}, {"replay": "-:0.3"}])
def test_a_resumed_run_takes_no_stream(
    old: Path, new: Path, tmp_path: Path, registry: Plugins, named: dict[str, str]
) -> None:
    more = {"validation_corpus": str(old)} if "validation_corpus" in named else {"replay": f"{old}:0.3"}
    train(new, registry, from_model=train(old, registry), output=tmp_path / "model", **more)
    with pytest.raises(TrainingError, match="must be a text that can be read again when the run is resumed, got files"):
        textforge.train(output=tmp_path / "model", resume=True, epochs=4, plugins=registry, **named)
    textforge.train(output=tmp_path / "model", resume=True, epochs=4, plugins=registry)


def test_the_one_that_moved_is_told_where_the_other_was_named(
    old: Path, new: Path, tmp_path: Path, registry: Plugins
) -> None:
    train(old, registry, validation_corpus=str(new), output=tmp_path / "model")
    new.rename(tmp_path / "moved.txt")
    with pytest.raises(TrainingError, match=r"no file or folder .*new\.txt.*if it moved, name it anew"):
        textforge.train(old, output=tmp_path / "model", resume=True, epochs=4, plugins=registry)


def test_a_share_does_not_change_when_a_run_is_resumed(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    train(new, registry, from_model=train(old, registry), output=tmp_path / "model", replay=f"{old}:0.3")
    with pytest.raises(TrainingError, match=r"replay was .*:0\.3 when the run began and can't become .*:0\.2"):
        textforge.train(output=tmp_path / "model", resume=True, epochs=4, plugins=registry, replay=f"{old}:0.2")


def test_a_text_to_validate_on_does_not_come_later(old: Path, new: Path, tmp_path: Path, registry: Plugins) -> None:
    train(old, registry, output=tmp_path / "model")
    with pytest.raises(TrainingError, match=r"validation_corpus was \(\) when the run began"):
        textforge.train(output=tmp_path / "model", resume=True, epochs=4, plugins=registry, validation_corpus=str(new))
