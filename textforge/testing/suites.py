"""The checks as pytest classes, for an author's own suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import pytest

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.corpora.base import Corpus
from textforge.encoders.base import Encoder
from textforge.errors import PluginError
from textforge.formats.base import Format
from textforge.model import SavedModel
from textforge.plugins.importing import PluginName
from textforge.plugins.registry import Plugins
from textforge.samplers.base import Sampler
from textforge.testing.cases import Case, CorpusCase, EncoderCase, SamplerCase
from textforge.testing.checks import (
    CHECKS,
    NONE,
    Check,
    read_expected_failures,
    title_of,
    unexpected_pass,
    unforeseen,
)
from textforge.testing.component_checks import check_use
from textforge.testing.failures import CheckFailure, NotApplicable
from textforge.testing.format_case import FormatCase
from textforge.testing.model_cases import ArchitectureCase, BackendCase, ImplementationCase
from textforge.testing.texts import HARD_TEXTS, UNKNOWN

S = TypeVar("S", bound="type[ComponentTests]")
Given = Plugins | PluginName | Sequence[PluginName] | None
"""The plugins of a suite: what is installed, and files and modules beside it; or a registry."""


def _read_plugins(given: Given) -> Plugins:
    return given if isinstance(given, Plugins) else Plugins(() if given is None else given)


def _test(check: Check) -> Callable[..., None]:
    def test(self: ComponentTests, component: Any) -> None:
        reason = self.reasons().get(title_of(check))
        try:
            check(self.case(component).renew())
        except NotApplicable as inapplicable:
            pytest.skip(str(inapplicable))
        except Exception as error:
            if reason is not None:
                pytest.xfail(reason)
            _skip_if_unusable(check, self.case(component).renew())
            if isinstance(error, CheckFailure):
                raise
            raise unforeseen(error) from error
        if reason is not None:
            raise unexpected_pass(reason)

    test.__doc__ = check.__doc__
    return test


def _skip_if_unusable(check: Check, case: Case) -> None:
    """Skip a test of a component that doesn't do its work at all: one failure says so, and says it well."""
    if check is check_use:
        return
    try:
        check_use(case)
    except CheckFailure:
        pytest.skip(f"the {case.kind} doesn't do its work: see test_use")


def _with_checks(case: type[Case]) -> Callable[[S], S]:
    """Give a class a test method for each check of a kind: ``check_shape`` becomes ``test_shape``."""

    def decorate(cls: S) -> S:
        cls.case_type = case
        for check in CHECKS[case]:
            name = getattr(check, "__name__", "").replace("check_", "test_", 1)
            setattr(cls, name, _test(check))
        return cls

    return decorate


class ComponentTests:
    """A base of the classes of all kinds: `components` says what is tested.

    Where a component needs what only a fixture has, such as a file, write a fixture ``component`` instead. Each check
    has a new component of the same options.
    """

    components: ClassVar[Sequence[Any]] = ()
    expected_failures: ClassVar[Mapping[str, str]] = NONE
    """Checks that are known to fail, each with the reason: ``{"check_light_import": "it reads a dictionary"}``. One
    that fails is reported as expected; one that passes fails the test, so that the list stays true."""
    case_type: ClassVar[type[Case]]

    @pytest.fixture
    def component(self) -> Any:
        """Return the component that is tested; `components` parametrizes it."""
        pytest.fail(f"{type(self).__name__} tests nothing: write `components = [MyComponent()]` in its body")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run every test with each of the components."""
        components = getattr(metafunc.cls, "components", ())
        if components and "component" in metafunc.fixturenames:
            metafunc.parametrize("component", components, ids=list(map(self.title_of, components)))

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.expected_failures:
            cls.reasons()  # so that a misspelled check is told at once

    @classmethod
    def reasons(cls) -> dict[str, str]:
        """Return the reasons why checks are known to fail, by the checks' names in words."""
        return read_expected_failures(cls.expected_failures, cls.case_type)

    @staticmethod
    def title_of(component: Any) -> str:
        """Return what a test's name says of the component."""
        return str(component.spec)

    def case(self, component: Any) -> Case:
        """Return what the checks are given."""
        raise NotImplementedError


@_with_checks(SamplerCase)
class SamplerTests(ComponentTests):
    """Tests of samplers: derive a class from it whose name begins with ``Test``, and name your samplers.

    `encoder` is a fitted encoder, for samplers that need one of their own choice; `tolerance` how far logits may lie
    apart that should agree, for samplers with a model inside.
    """

    components: ClassVar[Sequence[Sampler]] = ()
    encoder: ClassVar[Encoder | None] = None
    tolerance: ClassVar[float] = 1e-9

    def case(self, component: Sampler) -> SamplerCase:
        """Return the sampler with the encoder."""
        details: dict[str, Any] = {} if self.encoder is None else {"encoder": self.encoder}
        return SamplerCase(component, tolerance=self.tolerance, **details)


@_with_checks(EncoderCase)
class EncoderTests(ComponentTests):
    """Tests of encoders, not yet fitted. `texts` are what they are fitted to, `unknown` is what is in none of them."""

    components: ClassVar[Sequence[Encoder]] = ()
    texts: ClassVar[Sequence[str]] = HARD_TEXTS
    unknown: ClassVar[str] = UNKNOWN

    def case(self, component: Encoder) -> EncoderCase:
        """Return the encoder with its texts."""
        return EncoderCase(component, texts=self.texts, unknown=self.unknown)


@_with_checks(CorpusCase)
class CorpusTests(ComponentTests):
    """Tests of corpora; one that needs a file writes a fixture ``component`` that makes it."""

    components: ClassVar[Sequence[Corpus]] = ()

    def case(self, component: Corpus) -> CorpusCase:
        """Return the corpus by itself."""
        return CorpusCase(component)


@_with_checks(ArchitectureCase)
class ArchitectureTests(ComponentTests):
    """Tests of architectures; what computes them is tested with `ImplementationTests`."""

    components: ClassVar[Sequence[Architecture]] = ()

    def case(self, component: Architecture) -> ArchitectureCase:
        """Return the architecture by itself."""
        return ArchitectureCase(component)


@_with_checks(ImplementationCase)
class ImplementationTests(ComponentTests):
    """Tests of architectures on a backend: `backend` is its spec, `components` are the architectures.

    `plugins` names files and modules in which both are looked up beside what is installed: ``__name__`` for a plugin
    that is one file with its tests. `saved` is a model to run, for an implementation that can't train and whose first
    values say nothing; `tolerance` how far apart logits may lie that should agree; `settings` how the tiny corpus is
    trained on.

    >>> class TestLSTMOnNumPy(ImplementationTests):
    ...     backend = "numpy"
    ...     components = ["lstm:hidden_size=8", "lstm:hidden_size=8,num_layers=2"]
    """

    backend: ClassVar[str | Backend] = ""
    components: ClassVar[Sequence[str | Architecture]] = ()
    plugins: ClassVar[Given] = None
    saved: ClassVar[SavedModel | None] = None
    tolerance: ClassVar[float] = 1e-5
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    @staticmethod
    def title_of(component: Any) -> str:
        """Return the architecture's spec."""
        return component if isinstance(component, str) else str(component.spec)

    def case(self, component: str | Architecture) -> ImplementationCase:
        """Return the architecture on the backend, found as the program finds it.

        Override it to make models in another way: ``ImplementationCase(component, make=…, **self.details())``.
        """
        if not self.backend:
            raise PluginError(f'{type(self).__name__} names no backend: write `backend = "numpy"`, say, in its body')
        return ImplementationCase.of(_read_plugins(self.plugins), self.backend, component, **self.details())

    def details(self) -> dict[str, Any]:
        """Return what the checks are given beside the component."""
        return {"saved": self.saved, "tolerance": self.tolerance, "settings": dict(self.settings)}


@_with_checks(BackendCase)
class BackendTests(ComponentTests):
    """Tests of backends by themselves; their models are tested with `ImplementationTests`."""

    components: ClassVar[Sequence[Backend]] = ()
    plugins: ClassVar[Given] = None

    def case(self, component: Backend) -> BackendCase:
        """Return the backend with the plugins among which its implementations are looked up."""
        return BackendCase(component, _read_plugins(self.plugins))


@_with_checks(FormatCase)
class FormatTests(ComponentTests):
    """Tests of formats: `architecture` is one whose models they write, the first that they do unless given."""

    components: ClassVar[Sequence[Format]] = ()
    architecture: ClassVar[str | Architecture | None] = None
    plugins: ClassVar[Given] = None

    def case(self, component: Format) -> FormatCase:
        """Return the format with the architecture."""
        return FormatCase(component, _read_plugins(self.plugins), architecture=self.architecture)
