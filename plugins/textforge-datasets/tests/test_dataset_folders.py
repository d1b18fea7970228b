"""Datasets that lie in a folder: what `save_to_disk` wrote, and data files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from corpus_texts import documents, error_of, notes_of

import textforge
from textforge.errors import OptionError
from textforge_datasets import DatasetCorpus

ROWS = {
    "id": [1, 2, 3, 4],
    "text": ["one", None, " ", "two"],
    "song": [{"words": word} for word in ("a", "b", "c", "d")],
}
CHOICE = "'data' was read by the column 'text' of 'id', 'text', 'song.words'"


def make(**columns):
    return datasets.Dataset.from_dict(columns or ROWS)


def read(path="data", **options):
    return documents(DatasetCorpus(path, **options))


def refusal(path="data", **options):
    return error_of(DatasetCorpus(path, **options))


def save(**splits):
    datasets.DatasetDict({name: make(text=texts) for name, texts in splits.items()}).save_to_disk("data")


def write(name, text):
    path = Path("data", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


class TestSaved:
    def test_each_row_is_a_document(self):
        make().save_to_disk("data")
        corpus = DatasetCorpus("data")
        for _ in range(2):
            assert documents(corpus) == ["one", "two"]
            assert list(corpus.notes()) == [
                f"{CHOICE}; another is read by dataset:path=data,column=…",
                "left out 1 record whose text is null",
            ]
        assert read(column="song.words") == ["a", "b", "c", "d"]

    def test_rows_keep_the_order_that_was_saved(self):
        shuffled = make(text=[str(number) for number in range(1000)]).shuffle(seed=1)
        shuffled.save_to_disk("data", num_shards=3)
        assert read() == shuffled["text"][:]

    def test_train_is_chosen_among_splits_and_told(self):
        save(test=["b"], train=["a"])
        corpus = DatasetCorpus("data", column="text")
        assert documents(corpus) == ["a"]
        assert list(corpus.notes()) == [
            "'data' was read by its split 'train' of 'test', 'train'; split=… reads another"
        ]
        assert read(split="test") == ["b"]

    def test_other_splits_are_listed(self):
        save(test=["a"], validation=["b"])
        assert refusal() == (
            "'data' has no split 'train', and several others: 'test', 'validation'; say which to read, as split=test"
        )
        assert refusal(split="tset") == (
            "'data' has no split 'tset'; its splits are 'test', 'validation'; did you mean 'test'?"
        )
        assert refusal(split="test[:50%]").startswith("'data' has no split 'test[:50%]'; ")

    def test_the_only_split_is_taken(self):
        save(test=["a"])
        assert notes_of(DatasetCorpus("data", column="text")) == []

    def test_what_it_has_not_is_refused(self):
        make().save_to_disk("data")
        assert refusal(config="en") == "'data' was saved without a config, got 'en'; leave it out"
        assert refusal(revision="v1") == "'data' was saved without a revision, got 'v1'; leave it out"
        assert refusal(split="test") == "'data' has one part, without a name, not 'test'; leave out split"
        datasets.Dataset.from_dict({"text": ["b"]}, split="test").save_to_disk("data/test")
        assert read("data/test", split="test") == ["b"]
        assert (
            refusal("data/test", split="train")
            == "'data/test' has the split 'test' alone, not 'train'; leave out split"
        )

    def test_a_damaged_one_is_refused(self):
        make().save_to_disk("data")
        (arrow,) = Path("data").glob("*.arrow")
        arrow.write_bytes(arrow.read_bytes()[:100])
        assert refusal().startswith("'data' can't be read by datasets (")


class TestDataFiles:
    @pytest.mark.parametrize("streaming", [True, False])
    def test_each_kind_of_file(self, streaming):
        write("train.jsonl", "".join(json.dumps({"n": 1, "text": text}) + "\n" for text in ("one", None, "two")))
        assert read(streaming=streaming) == ["one", "two"]
        make().to_parquet("other/train.parquet")
        make(text=["late"]).to_parquet("other/test.parquet")
        assert read("other", streaming=streaming) == ["one", "two"]
        assert read("other", streaming=streaming, column="song.words") == ["a", "b", "c", "d"]
        assert read("other", streaming=streaming, split="test", column="text") == ["late"]
        Path("csv").mkdir()
        Path("csv/a.csv").write_text("id,body\n1,one\n2,two\n")
        assert read("csv", streaming=streaming) == ["one", "two"]
        assert "its columns are 'id', 'body'; did you mean 'body'?" in refusal(
            "csv", streaming=streaming, column="boby"
        )

    def test_a_text_that_is_read_in_many_batches(self):
        texts = [f"text {number}" for number in range(1000)]
        make(text=texts).to_parquet("data/train.parquet", batch_size=300)
        assert read() == texts

    def test_a_stream_of_parquet_fetches_the_column_alone(self, monkeypatch):
        make(text=["one"], other=["x"]).to_parquet("data/train.parquet")
        read_columns = []
        take = datasets.IterableDataset.with_format

        def look(self, *arguments):
            read_columns.append(list(self.features))
            return take(self, *arguments)

        monkeypatch.setattr(datasets.IterableDataset, "with_format", look)
        assert read() == ["one"]
        assert read_columns == [["text"]]

    def test_splits(self):
        for name in ("train", "test"):
            write(f"{name}.txt", f"{name} one\n{name} two\n")
        assert read() == ["train one", "train two"]
        assert read(split="train+test") == ["train one", "train two", "test one", "test two"]
        assert read(split="train[:50%]", streaming=False) == ["train one"]
        assert refusal(split="train[:50%]") == (
            "'data' is read as a stream, which has whole splits alone, got 'train[:50%]'; write streaming=false too, "
            "or leave out the part in brackets"
        )
        for streaming in (True, False):
            for split in ("tset", "train+tset"):
                assert refusal(split=split, streaming=streaming) == (
                    "'data' has no split 'tset'; its splits are 'train', 'test'; did you mean 'test'?"
                )
        assert "(ValueError: Unrecognized instruction format" in refusal(split="train[:x]", streaming=False)
        make(text=["one"]).to_parquet("other/train.parquet")
        make(text=["two"]).to_parquet("other/test.parquet")
        assert read("other", split="test + train") == ["two", "one"]

    def test_a_copy_is_told(self):
        write("train.txt", "one\n")
        notes = notes_of(DatasetCorpus("data", streaming=False, column="text"))
        cache = datasets.config.HF_DATASETS_CACHE
        assert notes == [
            f"datasets keeps a copy of it in '{cache}'; the environment variable HF_HOME names another folder"
        ]
        assert notes_of(DatasetCorpus("data", column="text")) == []

    def test_configs(self):
        for name in ("en", "fr"):
            write(f"{name}.txt", f"{name}\n")
        write(
            "README.md",
            "---\nconfigs:\n- config_name: en\n  data_files: en.txt\n- config_name: fr\n  data_files: fr.txt\n---\n",
        )
        assert refusal() == "'data' has several configs: 'en', 'fr'; say which to read, as config=…"
        assert refusal(config="de") == "'data' has no config 'de'; its configs are 'en', 'fr'"
        assert read(config="fr") == ["fr"]

    def test_what_is_no_dataset_is_refused(self):
        write("a.unknown", "x")
        message = "'data' has no files that datasets reads; give a dataset, or a folder of data files"
        assert refusal() == message
        assert refusal(revision="v1") == "'data' is a folder, without revisions, got 'v1'; leave it out"
        assert refusal("data/a.unknown") == (
            "'data/a.unknown' is a file, not a dataset's folder; name it by itself, as a corpus of its kind"
        )
        assert refusal("./dat") == "there is no file or folder './dat'; did you mean 'data'?"
        assert refusal("a/b/c").startswith("there is no file or folder 'a/b/c': there is no folder 'a'")

    def test_a_script_is_never_run(self):
        write("data.py", "raise SystemExit('it was run')")
        write("train.txt", "one\n")
        assert refusal().startswith("the dataset 'data' comes with a script of its own, and none is ever run; ")


def test_texts_are_changed_as_asked():
    make(text=["ΟΔΟΣ", "E\u0301a"]).save_to_disk("data")
    assert read(lowercase=True, normalize="NFC") == ["οδος", "éa"]
    with pytest.raises(OptionError, match="dataset: path must name a dataset or a folder, got ''"):
        DatasetCorpus("")


def test_a_model_learns_from_it_and_goes_on():
    make(text=[f"name {number % 7}" for number in range(200)]).save_to_disk("data")
    textforge.train("dataset:data", output="model", architecture="ngram", seed=1)
    generator = textforge.train(resume=True, output="model")
    assert generator.generate(seed=1, max_tokens=200).startswith("name ")
    make(text=["another"]).save_to_disk("other")
    with pytest.raises(textforge.TrainingError, match="the corpus is not the one that the run began with"):
        textforge.train("dataset:other", resume=True, output="model")


READ = """
import sys
import textforge_datasets
corpus = {corpus}
before = 'datasets' in sys.modules, 'pyarrow' in sys.modules
text = ''.join(corpus.read())
print(before, text.replace(chr(0xfdd0), '|'), 'torch' in sys.modules, 'tensorflow' in sys.modules)
"""


@pytest.mark.parametrize("options", ["", ", streaming=False"])
def test_nothing_is_printed_nor_imported_before_it_is_needed(options):
    make(text=["one", "two"]).to_parquet("data/train.parquet")
    code = READ.format(corpus=f"textforge_datasets.DatasetCorpus('data'{options})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert (done.stdout, done.stderr) == ("(False, False) one|two| False False\n", "")
