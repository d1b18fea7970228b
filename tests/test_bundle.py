from __future__ import annotations

import json
import os

import attrs
import numpy as np
import pytest
from bundle_samples import (
    Letters,
    assert_holds,
    assert_same_arrays,
    contents,
    epoch,
    letters_plugins,
    other_run,
    saved,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import textforge
from textforge.bundle import Bundle, BundleContents, BundleWriter, find_plugin
from textforge.bundle.checked_json import as_tuples, read_json, write_json
from textforge.bundle.parts import read_arrays, read_encoder, read_fitted_encoder, write_arrays, write_encoder
from textforge.encoders.base import Encoder
from textforge.errors import BundleError
from textforge.plugins.registry import Plugins
from textforge.training.settings import TrainingSettings


def save(path, whole, **keywords):
    writer = BundleWriter.prepare(path, **keywords)
    writer.commit(whole)
    return writer


def names(path):
    return sorted(found.name for found in path.iterdir())


@pytest.mark.parametrize("own_weights", [True, False])
@pytest.mark.parametrize("resumable", [True, False])
@pytest.mark.parametrize("step", [0, 1, 3])
def test_what_is_saved_is_loaded(tmp_path, step, resumable, own_weights):
    whole = contents(step, resumable=resumable, own_weights=own_weights)
    save(tmp_path / "deep" / "model", whole)
    assert_holds(tmp_path / "deep" / "model", whole)


def test_a_loaded_bundle_is_saved_elsewhere(tmp_path):
    save(tmp_path / "a", contents(3))
    save(tmp_path / "b", Bundle.open(tmp_path / "a").contents(letters_plugins()))
    assert names(tmp_path / "a") == names(tmp_path / "b")
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_resuming_needs_may_stay_unread(tmp_path):
    save(tmp_path, contents(2))
    (tmp_path / Bundle.open(tmp_path).files["checkpoint"].name).unlink()
    found = Bundle.open(tmp_path).contents(letters_plugins(), resumable=False)
    assert found.checkpoint is None
    assert found.history == contents(2).history


def test_the_files_are_those_of_the_design(tmp_path):
    save(tmp_path, contents(2))
    parts = [name.split("-")[0] for name in names(tmp_path)]
    assert parts == ["checkpoint", "config.json", "encoder", "history.jsonl", "model"]
    manifest = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert manifest["format_version"] == 2
    assert manifest["files"]["history"]["lines"] == 2
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 2


def test_the_properties_tell_what_the_manifest_says(tmp_path):
    save(tmp_path, contents(2))
    bundle = Bundle.open(str(tmp_path))
    assert (bundle.encoder_name, bundle.encoder_plugin) == ("letters", "textforge-letters")
    assert (bundle.backend, bundle.backend_plugin) == ("torch:hidden_size=2", "textforge-torch")
    assert (bundle.architecture, bundle.vocabulary_size, bundle.window) == ("lstm", 5, None)
    assert bundle.model_options == {"hidden_size": 8, "sizes": (1, 2), "deep": {"a": None}}
    assert bundle.manifest["corpora"][0]["characters"] == 2
    assert set(bundle.files) == {"encoder", "model", "checkpoint", "history"}


def test_results_are_of_the_last_epoch_and_of_the_best(tmp_path):
    history = (epoch(1), epoch(2), epoch(3, best=False))
    save(tmp_path, contents(3, resumable=False, history=history))
    results = Bundle.open(tmp_path).results
    assert (results.epochs, results.steps, results.train_loss, results.validation_loss) == (3.0, 30, 1.0, None)
    assert (results.best_epoch, results.best_loss) == (2.0, 1.55)


def test_settings_come_back_as_training_takes_them(tmp_path):
    settings = TrainingSettings(sample=("greedy", "top-k:3 | temperature:0.5"), minutes=0.5, seed=3)
    save(tmp_path, contents(1, settings=settings.option_values()))
    assert TrainingSettings(**Bundle.open(tmp_path).settings) == settings


def test_history_is_the_checkpoints_unless_given():
    whole = contents(2)
    made = BundleContents(encoder=whole.encoder, model=whole.model, backend="x2", checkpoint=whole.checkpoint)
    assert made.history == whole.history
    assert BundleContents(encoder=whole.encoder, model=whole.model, backend="x2").history == ()


def test_files_whose_content_stays_are_not_written_again(tmp_path):
    writer = save(tmp_path, contents(1))
    before = {name: (tmp_path / name).stat().st_ino for name in names(tmp_path)}
    writer.commit(contents(1, backend="keras"))
    assert {name for name in before if (tmp_path / name).stat().st_ino != before[name]} == {"config.json"}


def test_a_later_commit_leaves_no_file_of_an_earlier(tmp_path):
    writer = save(tmp_path, contents(1))
    for step in range(2, 5):
        writer.commit(contents(step))
        assert_holds(tmp_path, contents(step))
        assert len(names(tmp_path)) == 5
    writer.commit(contents(4, resumable=False, history=()))
    assert len(names(tmp_path)) == 3


def test_the_history_is_appended_to(tmp_path):
    writer = save(tmp_path, contents(1))
    inode = (tmp_path / "history.jsonl").stat().st_ino
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 2.0, "st')  # what a killed run leaves
    assert_holds(tmp_path, contents(1))
    writer.commit(contents(3))
    assert (tmp_path / "history.jsonl").stat().st_ino == inode
    assert_holds(tmp_path, contents(3))
    assert (tmp_path / "history.jsonl").stat().st_size == Bundle.open(tmp_path).files["history"].size


def test_another_history_replaces_the_old(tmp_path):
    save(tmp_path, contents(3))
    for whole in (other_run(3), contents(2), contents(1), contents(0)):
        save(tmp_path, whole, overwrite=True)
        assert_holds(tmp_path, whole)
        assert [name for name in names(tmp_path) if "history" in name] == ["history.jsonl"] * bool(whole.history)


def test_a_damaged_part_is_mended_by_the_next_commit(tmp_path):
    writer = save(tmp_path, contents(2))
    for name in names(tmp_path):
        if name != "config.json":
            (tmp_path / name).write_bytes(b"?")
    writer.commit(contents(2))
    assert_holds(tmp_path, contents(2))


# Refusals of a folder


def test_an_existing_bundle_stays_unless_allowed(tmp_path):
    save(tmp_path, contents(1))
    with pytest.raises(BundleError, match=r"holds a trained model already; .*resume=True.*overwrite=True"):
        BundleWriter.prepare(tmp_path)
    for keywords in ({"overwrite": True}, {"resume": True}):
        BundleWriter.prepare(tmp_path, **keywords)
        assert_holds(tmp_path, contents(1))
    save(tmp_path, contents(2), resume=True)
    assert_holds(tmp_path, contents(2))


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_folders_are_refused(tmp_path, overwrite):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="is not empty and holds no trained model"):
        BundleWriter.prepare(tmp_path, overwrite=overwrite)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(BundleError, match="not textforge's"):
        BundleWriter.prepare(tmp_path, overwrite=overwrite)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BundleError, match="it is a file"):
        BundleWriter.prepare(tmp_path / "file", overwrite=overwrite)
    with pytest.raises(BundleError, match="can't save a model in"):
        BundleWriter.prepare(tmp_path / "file" / "below", overwrite=overwrite)
    (tmp_path / "config.json").write_text('{"format_version": 3}')
    with pytest.raises(BundleError, match="upgrade textforge"):
        BundleWriter.prepare(tmp_path, overwrite=overwrite)
    assert names(tmp_path) == ["config.json", "file", "notes.txt"]


def test_resuming_needs_a_bundle(tmp_path):
    with pytest.raises(BundleError, match="there is no folder"):
        BundleWriter.prepare(tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_preparing_leaves_an_empty_folder(tmp_path):
    BundleWriter.prepare(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == []


def test_what_a_killed_first_commit_left_is_no_obstacle(tmp_path):
    for name in ("model-0123456789abcdef.safetensors", "config-0123456789abcdef.json", "history.jsonl"):
        (tmp_path / name).write_bytes(b"half")
    save(tmp_path, contents(1))
    assert_holds(tmp_path, contents(1))
    assert len(names(tmp_path)) == 5


def test_a_users_history_alone_is_no_leftover(tmp_path):
    (tmp_path / "history.jsonl").write_text("mine")
    with pytest.raises(BundleError, match="is not empty"):
        BundleWriter.prepare(tmp_path)


@pytest.mark.parametrize("call", ["open", "write", "unlink", "mkdir", "listdir"])
def test_no_permission_is_told_before_training(tmp_path, monkeypatch, call):
    if call != "mkdir":
        (tmp_path / "model").mkdir()

    def refuse(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(BundleError, match=r"can't save a model in .*: Permission denied; choose another folder"):
        BundleWriter.prepare(tmp_path / "model")


def test_a_users_own_files_are_kept(tmp_path):
    save(tmp_path, contents(3))
    mine = ["notes.txt", "model.safetensors", "model-final.safetensors", "config-old.json", "encoder-1.json", ".x"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model-0123456789abcdef.safetensors").write_text("mine")
    for step in (1, 2):
        save(tmp_path, contents(step), overwrite=True)
    assert all((tmp_path / name).read_text() == "mine" for name in mine)
    assert (tmp_path / "sub" / "model-0123456789abcdef.safetensors").read_text() == "mine"
    assert len(names(tmp_path)) == 5 + len(mine) + 1


def test_two_runs_into_one_folder_dont_mix(tmp_path):
    first, second = BundleWriter.prepare(tmp_path), BundleWriter.prepare(tmp_path)
    first.commit(contents(1))
    with pytest.raises(BundleError, match="another program saved a model there meanwhile"):
        second.commit(contents(2))
    first.commit(contents(3))
    assert_holds(tmp_path, contents(3))


def test_a_folder_deleted_meanwhile_is_made_again(tmp_path):
    writer = save(tmp_path / "model", contents(2))
    for name in names(tmp_path / "model"):
        (tmp_path / "model" / name).unlink()
    (tmp_path / "model").rmdir()
    writer.commit(contents(3))
    assert_holds(tmp_path / "model", contents(3))


# What can't be saved


class Odd(Letters):
    name = "odd"
    odd: object = textforge.learned()


@pytest.mark.parametrize("value", [[1, 2], {1: 2}, {1, 2}, b"x", object(), float("nan"), np.zeros(2), ([1],)])
def test_what_json_cant_hold_is_refused_at_once(tmp_path, value):
    save(tmp_path, contents(1))
    with pytest.raises(BundleError, match="can't save the model"):
        save(tmp_path, contents(2, encoder=Odd(vocabulary="abcde", odd=value)), overwrite=True)
    assert_holds(tmp_path, contents(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"clip_norm": float("inf")}},
        {"versions": {"a": object()}},
        {"model": attrs.evolve(saved(1), arrays={"text": np.array(["a"])})},
        {"model": attrs.evolve(saved(1), arrays={"__metadata__": np.zeros(2)})},
        {"model": attrs.evolve(saved(1), arrays={"\ud800": np.zeros(2)})},
        {"model": attrs.evolve(saved(1), arrays={"long": np.zeros(2, dtype=np.longdouble)})},
        {"model": attrs.evolve(saved(1), options={"a": {2: 3}})},
        {"history": (attrs.evolve(epoch(1), train_loss=float("nan")),)},
    ],
)
def test_contents_that_cant_be_saved_leave_the_bundle_as_it_was(tmp_path, changes):
    writer = save(tmp_path, contents(1))
    before = names(tmp_path)
    with pytest.raises(BundleError, match="can't save the model"):
        writer.commit(contents(2, **changes))
    assert_holds(tmp_path, contents(1))
    assert names(tmp_path) == before


def test_numbers_of_numpy_are_numbers(tmp_path):
    whole = contents(1, settings={"seed": np.int64(3), "rate": np.float32(0.5), "on": np.bool_(True)})
    save(tmp_path, whole)
    assert Bundle.open(tmp_path).settings == {"seed": 3, "rate": 0.5, "on": True}


# The parts, value by value

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
)


@given(JSON)
def test_json_reads_back_equal(value):
    assert read_json(write_json(value)) == value
    assert b"\n" not in write_json(value, indent=None)[:-1]


@given(ANY_TEXT, st.lists(st.tuples(ANY_TEXT, st.integers())))
def test_any_vocabulary_survives(text, pairs):
    encoder = Letters(pairs=tuple(pairs)).fit([text, "\ud83d\ude00\udc00\U0001f600\x00\u2028"])
    assert read_encoder(Letters, write_encoder(encoder)) == encoder


@given(
    st.dictionaries(
        st.text().filter(lambda name: name != "__metadata__"),
        arrays_of.arrays(
            st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_, np.complex64, ">i4"]),
            arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
        ),
        max_size=4,
    )
)
def test_any_array_in_any_order_survives(arrays):
    turned = {name: array.T for name, array in arrays.items()}
    found = read_arrays(write_arrays(turned))
    assert_same_arrays(found, {name: array.astype(array.dtype.newbyteorder("=")) for name, array in turned.items()})


def test_every_second_element_is_saved_as_it_reads():
    every = np.arange(20.0).reshape(4, 5)[::2, ::-2]
    assert_same_arrays(read_arrays(write_arrays({"a": every})), {"a": every})


def test_an_annotation_python_cant_resolve_is_no_obstacle():
    class Elsewhere(Letters):
        name = "elsewhere"
        merges: tuple[Missing, ...] = textforge.learned()  # noqa: F821

    encoder = Elsewhere(vocabulary="ab", merges=((1, 2), (3, 4)))
    assert read_encoder(Elsewhere, write_encoder(encoder)) == encoder


def test_lists_become_tuples_all_through():
    assert as_tuples([1, {"a": [[2]]}]) == (1, {"a": ((2,),)})


# Plugins that aren't there


def test_a_missing_encoder_names_the_plugin_that_brought_it(tmp_path):
    save(tmp_path, contents(1))
    with pytest.raises(BundleError, match=r"needs the encoder 'letters' of the plugin 'textforge-letters'; install"):
        Bundle.open(tmp_path).encoder(Plugins(sources=[]))
    assert Bundle.open(tmp_path).model().vocabulary_size == 5


def test_find_plugin_names_the_distribution():
    assert find_plugin(letters_plugins(), "encoder", "letters") == "textforge-letters"
    assert find_plugin(letters_plugins(), "encoder", "other") is None
    import bundle_samples

    assert find_plugin(Plugins([bundle_samples], sources=[]), "encoder", "letters") == "bundle_samples"


class Later(Encoder):
    """The letters encoder of another version: one option less."""

    name = "letters"
    lowercase: bool = textforge.option(default=False, help="Lower-case.")
    vocabulary: str = textforge.learned(default="")
    vocabulary_size = fit = encode = decode = None


def test_an_encoder_of_another_version_is_told(tmp_path):
    with pytest.raises(ValueError, match="of another version of the encoder 'letters'"):
        read_encoder(Later, write_encoder(contents(1).encoder))


@pytest.mark.parametrize(
    "learned",
    [
        {"vocabulary": 5},
        {"vocabulary": ["a", "b", "c", "d"]},
        {"vocabulary": "abc"},
        {"pairs": None},
        {"pairs": [["a", 1, 2]]},
        {"pairs": [["a", "b"]]},
        {"pairs": [{}]},
        {"more": 1},
    ],
)
def test_learnt_values_of_another_kind_are_refused(tmp_path, learned):
    values = {"vocabulary": "abcd", "pairs": [], **learned}
    data = write_json({"options": {}, "learned": values})
    with pytest.raises(ValueError):
        read_fitted_encoder(Letters, data, vocabulary_size=4)
