"""A check that can't fail is worse than none: for each there is a component that fails it, and passes all others."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
from conformance import broken_backends, broken_corpora, broken_encoders, broken_samplers

from textforge.testing import CHECKS, fresh, run_checks
from textforge.testing.cases import case_of
from textforge.testing.checks import title_of

BROKEN = [*broken_samplers.BROKEN, *broken_encoders.BROKEN, *broken_corpora.BROKEN, *broken_backends.BROKEN]
GOOD = [
    broken_samplers.GoodSampler(),
    broken_encoders.GoodEncoder(),
    broken_encoders.Lowering(),
    broken_corpora.GoodCorpus(),
    broken_backends.GoodBackend(),
]
HEAVY = """
import onnxruntime
from conformance import broken_backends, broken_corpora, broken_encoders, broken_samplers

class Sampler(broken_samplers.GoodSampler):
    "Imports a framework."
class Encoder(broken_encoders.GoodEncoder):
    "Imports a framework."
class Corpus(broken_corpora.GoodCorpus):
    "Imports a framework."
class Backend(broken_backends.GoodBackend):
    "Imports a framework."
"""
KINDS = ("Sampler", "Encoder", "Corpus", "Backend")


@pytest.fixture(autouse=True)
def one_import_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a module imports is asked once for all of its components."""
    ask = fresh.ask

    @functools.cache
    def imports(module: str, component: Any) -> Any:
        return ask("imports", component)

    def asked(question: str, component: Any, **details: Any) -> Any:
        if question != "imports":
            return ask(question, component, **details)
        representative = next((good for good in GOOD if type(good).__module__ == type(component).__module__), component)
        return imports(type(component).__module__, representative)

    monkeypatch.setattr(fresh, "ask", asked)


def failures(component: Any) -> dict[str, str]:
    return {result.name: result.failure for result in run_checks(component) if result.failure}


def in_order(component: Any) -> str:
    return type(component).__name__


@pytest.mark.parametrize("component", GOOD, ids=in_order)
def test_a_good_component_passes_every_check(component: Any) -> None:
    results = list(run_checks(component))
    assert [result for result in results if result.failure or result.skipped] == []
    assert len(results) == len(CHECKS[type(case_of(component))])


@pytest.mark.parametrize(("component", "check"), BROKEN, ids=[in_order(component) for component, _ in BROKEN])
def test_a_broken_component_fails_its_check_and_no_other(component: Any, check: str) -> None:
    assert list(failures(component)) == [check]


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_imports_a_framework(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules_undone: None
) -> None:
    (tmp_path / "onnxruntime.py").write_text("", encoding="utf-8")
    (tmp_path / "fake_heavy.py").write_text(HEAVY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    component = getattr(importlib.import_module("fake_heavy"), kind)()
    assert failures(component) == {
        "light import": "expected the module fake_heavy to import no framework, got an import of onnxruntime: "
        "import it inside the method that needs it: every command would wait for it"
    }
    monkeypatch.delitem(sys.modules, "onnxruntime")


def test_every_check_has_a_broken_component() -> None:
    broken = {check for _, check in BROKEN} | {"light import"}
    assert {title_of(check) for checks in CHECKS.values() for check in checks} == broken


def test_every_function_that_is_called_a_check_is_one() -> None:
    listed = {check for checks in CHECKS.values() for check in checks}
    modules = {inspect.getmodule(check) for check in listed}
    assert listed == {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.startswith("check_") and callable(value)
    } - {importlib.import_module("textforge.architectures.checks").check_names_and_shapes}


@pytest.mark.parametrize(("component", "check"), BROKEN, ids=[in_order(component) for component, _ in BROKEN])
def test_a_failure_says_what_was_expected_what_came_and_how_to_mend_it(component: Any, check: str) -> None:
    case = case_of(component)
    (function,) = [found for found in CHECKS[type(case)] if title_of(found) == check]
    with pytest.raises(AssertionError) as caught:
        function(case)
    assert str(caught.value).startswith("expected ")
    assert ", got " in str(caught.value)
    assert len(getattr(caught.value, "mend").split()) > 2  # noqa: B009
