"""Both corpora keep the contract of all."""

from __future__ import annotations

import datasets
import pytest

from textforge.testing import CorpusTests
from textforge_datasets import DatasetCorpus, ParquetCorpus

TEXTS = datasets.Dataset.from_dict(
    {"text": [f"text {number} é\U0001f600" for number in range(20_000)], "n": range(20_000)}
)
"""Texts that make several chunks."""


class TestParquet(CorpusTests):
    @pytest.fixture
    def component(self, folder):
        TEXTS.to_parquet(folder / "a.parquet")
        return ParquetCorpus([str(folder)])


class TestSaved(CorpusTests):
    @pytest.fixture
    def component(self, folder):
        TEXTS.save_to_disk(folder / "data")
        return DatasetCorpus(str(folder / "data"))


class TestDataFiles(CorpusTests):
    @pytest.fixture
    def component(self, folder):
        TEXTS.to_json(folder / "data" / "train.jsonl")
        return DatasetCorpus(str(folder / "data"))
