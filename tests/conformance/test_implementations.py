"""The pytest classes of architectures and implementations, on ones that are made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from conformance.broken_architectures import GoodArchitecture
from conformance.broken_backends import GoodBackend, make_plugins
from conformance.good_model import GoodModel

from textforge.errors import PluginError
from textforge.model import Array, CountingModel
from textforge.testing import ArchitectureTests, ImplementationCase, ImplementationTests


class TestArchitecture(ArchitectureTests):
    components = (GoodArchitecture(), GoodArchitecture(width=1))


class TestImplementation(ImplementationTests):
    components = (GoodArchitecture(), "good:width=8")
    settings: ClassVar[Mapping[str, Any]] = {"learning_rate": 0.4}

    backend = GoodBackend()
    plugins = make_plugins("conformance.good_model:GoodModel")


def test_a_class_that_names_no_backend_says_so() -> None:
    with pytest.raises(PluginError, match="ImplementationTests names no backend: write `backend = "):
        ImplementationTests().case(GoodArchitecture())


class Counting(GoodModel, CountingModel):
    """Learns in one reading; its weights say nothing before."""

    def count(self, tokens: Array) -> Counting:
        assert len(tokens) > 1000
        return Counting(GoodArchitecture().create(self.vocabulary_size, seed=2))


def test_a_model_that_counts_is_ready_once_it_has_counted() -> None:
    case = ImplementationCase(GoodArchitecture(scale=1e-9), make=Counting)
    assert all(abs(array).max() < 1e-6 for array in case.fresh.arrays.values())
    assert abs(case.load().save().arrays["before.weight"]).max() > 0.1
