"""Datasets of the hub, which is simulated: by folders of data files, and by the errors that datasets and it raise."""

from __future__ import annotations

import importlib
import logging

import datasets
import pytest
from corpus_texts import documents, error_of
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub import errors

from textforge_datasets import DatasetCorpus

HTTP = importlib.import_module(errors.HfHubHTTPError.__bases__[0].__module__.partition(".")[0])
"""The library that the hub's own uses: httpx, or what took its place."""
NAME = "org/songs"
LOG_IN = "log in by `hf auth login`, or set HF_TOKEN"
MISSING = f"there is no dataset '{NAME}' on the Hugging Face hub, nor a folder of that name here; check the name, or, "
GATED = f"the dataset '{NAME}' is gated: ask for access at https://huggingface.co/datasets/{NAME}, then {LOG_IN}"
SCRIPT = (
    f"the dataset '{NAME}' comes with a script of its own, and none is ever run; where the hub has made Parquet of it, "
)
COMMITS = ("a" * 40, "b" * 40)


@pytest.fixture
def hub(folder, monkeypatch):
    """The names and revisions that were asked for; a folder of data files answers, of the commit that is the newest."""
    datasets.Dataset.from_dict({"text": ["one", "two"]}).to_parquet(folder / "hub" / "train.parquet")
    load, asked = datasets.load_dataset_builder, []

    def answer(path, name, *, revision):
        builder = load(str(folder / "hub"), name)
        builder.repo_id, builder.hash = path, revision or COMMITS[min(1, len(asked))]
        asked.append((path, revision))
        return builder

    monkeypatch.setattr(datasets, "load_dataset_builder", answer)
    return asked


def fail(monkeypatch, error):
    def answer(*arguments, **options):
        raise error

    monkeypatch.setattr(datasets, "load_dataset_builder", answer)


def response(status):
    return HTTP.Response(status, request=HTTP.Request("GET", "https://huggingface.co"))


def refusal(path=NAME, **options):
    return error_of(DatasetCorpus(path, **options))


def test_it_is_read_again_at_the_commit_that_was_found_first(hub):
    corpus = DatasetCorpus(NAME, column="text")
    for _ in range(2):
        assert documents(corpus) == ["one", "two"]
        cache = datasets.config.HF_CACHE_HOME
        assert list(corpus.notes()) == [
            f"'{NAME}' was read at its commit {COMMITS[0]}; revision={COMMITS[0]} reads the same again",
            f"datasets keeps what describes it in '{cache}'; the environment variable HF_HOME names another folder",
        ]
    assert hub == [(NAME, None), (NAME, COMMITS[0])]
    assert documents(DatasetCorpus(NAME, revision=COMMITS[1])) == ["one", "two"]
    assert hub[-1] == (NAME, COMMITS[1])


def test_a_commit_that_was_asked_for_is_not_told(hub):
    corpus = DatasetCorpus(NAME, column="text", revision=COMMITS[0], streaming=False)
    assert documents(corpus) == ["one", "two"]
    (note,) = corpus.notes()
    assert note.startswith(f"datasets keeps a copy of it in '{datasets.config.HF_DATASETS_CACHE}'; ")


def test_a_folder_goes_before_a_name_of_the_hub(hub):
    datasets.Dataset.from_dict({"text": ["here"]}).save_to_disk(NAME)
    assert documents(DatasetCorpus(NAME)) == ["here"]
    assert hub == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            DatasetNotFoundError(f"Dataset '{NAME}' doesn't exist on the Hub or cannot be accessed."),
            f"{MISSING}where it is a private one, {LOG_IN}",
        ),
        (
            DatasetNotFoundError(f"Dataset '{NAME}' is a gated dataset on the Hub. You must be authenticated."),
            GATED,
        ),
        (
            errors.GatedRepoError("Access to it is restricted.", response=response(403)),
            GATED,
        ),
        (
            DatasetNotFoundError(f"Revision 'v1' doesn't exist for dataset '{NAME}' on the Hub."),
            f"the dataset '{NAME}' has no such revision; give a branch, tag or commit of its page on the hub",
        ),
        (
            errors.RevisionNotFoundError("404", response=response(404)),
            f"the dataset '{NAME}' has no such revision; give a branch, tag or commit of its page on the hub",
        ),
        (
            errors.HfHubHTTPError("Too many requests", response=response(429)),
            f"the Hugging Face hub answered 429 when asked for '{NAME}'; try again later, or {LOG_IN}",
        ),
        (
            RuntimeError("Dataset scripts are no longer supported, but found songs.py"),
            f"{SCRIPT}write revision=refs/convert/parquet",
        ),
        (
            ValueError("Config name is missing.\nPlease pick one among the available configs: ['en', 'fr']\nExample …"),
            f"'{NAME}' has several configs: 'en', 'fr'; say which to read, as config=…",
        ),
        (
            datasets.exceptions.DataFilesNotFoundError("No (supported) data files found in it"),
            f"'{NAME}' has no files that datasets reads; give a dataset, or a folder of data files",
        ),
        (
            KeyError("what\never"),
            f"'{NAME}' can't be read by datasets (KeyError: 'what\\never'); check its files",
        ),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_what_to_do(error, message, monkeypatch):
    fail(monkeypatch, error)
    assert refusal() == message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("Couldn't reach it"), "no connection (ConnectionError)"),
        (HTTP.ReadTimeout("late"), "no connection (ReadTimeout)"),
        (FileNotFoundError("Couldn't find … either: LocalEntryNotFoundError: An error …"), "it gave no answer"),
    ],
)
def test_no_connection(error, reason, monkeypatch):
    fail(monkeypatch, error)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    what = f"the dataset '{NAME}' can't be had from the Hugging Face hub"
    assert refusal() == f"{what}: {reason}; connect and try again, or give a folder that has it"


def test_offline_as_datasets_itself_says_it():
    assert refusal() == (
        f"the dataset '{NAME}' can't be had from the Hugging Face hub, for HF_HUB_OFFLINE is set; unset it, or give a "
        "folder that has the dataset"
    )


def test_a_failure_in_the_middle_is_told_too(hub, monkeypatch):
    def iterate(self, batch_size):
        yield from ()
        raise HTTP.ReadTimeout("late")

    monkeypatch.setattr(datasets.IterableDataset, "iter", iterate)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    assert ": no connection (ReadTimeout); " in refusal()


def test_memory_that_runs_out_is_not_the_dataset_s_fault(monkeypatch):
    fail(monkeypatch, MemoryError())
    with pytest.raises(MemoryError):
        documents(DatasetCorpus(NAME))


def test_a_kind_of_files_is_no_dataset(folder):
    (folder / "private.txt").write_text("not to be read")
    assert refusal("text") == (
        "'text' is a kind of files to datasets, not a dataset; give the folder that has such files"
    )


def test_warnings_of_datasets_become_notes_and_all_is_put_back(hub, monkeypatch, capfd):
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    answer = datasets.load_dataset_builder

    def warn(*arguments, **options):
        logging.getLogger("datasets.load").warning("Using the latest\ncached version of %s", NAME)
        logging.getLogger("huggingface_hub.file_download").info("nothing to tell")
        return answer(*arguments, **options)

    monkeypatch.setattr(datasets, "load_dataset_builder", warn)
    corpus = DatasetCorpus(NAME)
    documents(corpus)
    assert f"datasets says: Using the latest cached version of {NAME}" in corpus.notes()
    assert not [note for note in corpus.notes() if "nothing to tell" in note]
    assert [(logger.handlers, logger.propagate) for logger in loggers] == before
    assert not datasets.are_progress_bars_disabled()
    assert capfd.readouterr() == ("", "")


def test_what_was_once_copied_is_read_offline(folder, monkeypatch):
    datasets.Dataset.from_dict({"text": ["kept"]}).to_parquet(folder / "songs" / "train.parquet")
    builder = datasets.load_dataset_builder(str(folder / "songs"))
    builder.download_and_prepare()
    kept = datasets.config.HF_DATASETS_CACHE / "songs"
    kept.rename(kept.with_name("org___songs"))
    corpus = DatasetCorpus(NAME)
    assert documents(corpus) == ["kept"]
    assert f"'{NAME}' was read from the cache of datasets" in corpus.notes()
    assert any(note.startswith("datasets says: Using the latest cached version") for note in corpus.notes())
