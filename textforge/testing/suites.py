"""The checks as pytest classes, for an author's own suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import pytest

from textforge.backends.base import Backend
from textforge.corpora.base import Corpus
from textforge.encoders.base import Encoder
from textforge.model import SavedModel
from textforge.samplers.base import Sampler
from textforge.testing.cases import BackendCase, Case, CorpusCase, EncoderCase, SamplerCase
from textforge.testing.checks import CHECKS, Check, unforeseen
from textforge.testing.failures import CheckFailure, NotApplicable
from textforge.testing.texts import HARD_TEXTS, UNKNOWN

S = TypeVar("S", bound="type[ComponentTests]")


def _test(check: Check) -> Callable[..., None]:
    def test(self: ComponentTests, component: Any) -> None:
        try:
            check(self.case(component))
        except NotApplicable as reason:
            pytest.skip(str(reason))
        except CheckFailure:
            raise
        except Exception as error:
            raise unforeseen(error) from error

    test.__doc__ = check.__doc__
    return test


def _with_checks(case: type[Case]) -> Callable[[S], S]:
    """Give a class a test method for each check of a kind: ``check_shape`` becomes ``test_shape``."""

    def decorate(cls: S) -> S:
        for check in CHECKS[case]:
            name = getattr(check, "__name__", "").replace("check_", "test_", 1)
            setattr(cls, name, _test(check))
        return cls

    return decorate


class ComponentTests:
    """What the classes of all kinds share: `components` says what is tested.

    Where a component needs what only a fixture has, such as a file, write a fixture ``component`` instead.
    """

    components: ClassVar[Sequence[Any]] = ()

    @pytest.fixture
    def component(self) -> Any:
        """The component that is tested; `components` parametrizes it."""
        pytest.fail(f"{type(self).__name__} tests nothing: write `components = [MyComponent()]` in its body")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run every test with each of the components."""
        components = getattr(metafunc.cls, "components", ())
        if components and "component" in metafunc.fixturenames:
            metafunc.parametrize("component", components, ids=[component.spec for component in components])

    def case(self, component: Any) -> Case:
        """What the checks are given."""
        raise NotImplementedError


@_with_checks(SamplerCase)
class SamplerTests(ComponentTests):
    """Tests of samplers: derive a class from it whose name begins with ``Test``, and name your samplers.

    `encoder` is a fitted encoder, for samplers that need one of their own choice.
    """

    components: ClassVar[Sequence[Sampler]] = ()
    encoder: ClassVar[Encoder | None] = None

    def case(self, component: Sampler) -> SamplerCase:
        """The sampler with the encoder."""
        return SamplerCase(component) if self.encoder is None else SamplerCase(component, self.encoder)


@_with_checks(EncoderCase)
class EncoderTests(ComponentTests):
    """Tests of encoders, not yet fitted. `texts` are what they are fitted to, `unknown` is what is in none of them."""

    components: ClassVar[Sequence[Encoder]] = ()
    texts: ClassVar[Sequence[str]] = HARD_TEXTS
    unknown: ClassVar[str] = UNKNOWN

    def case(self, component: Encoder) -> EncoderCase:
        """The encoder with its texts."""
        return EncoderCase(component, texts=self.texts, unknown=self.unknown)


@_with_checks(CorpusCase)
class CorpusTests(ComponentTests):
    """Tests of corpora; one that needs a file writes a fixture ``component`` that makes it."""

    components: ClassVar[Sequence[Corpus]] = ()

    def case(self, component: Corpus) -> CorpusCase:
        """The corpus by itself."""
        return CorpusCase(component)


@_with_checks(BackendCase)
class BackendTests(ComponentTests):
    """Tests of backends.

    `saved` is a model to run, for one that can't train; `tolerance` how far apart logits may lie that should agree;
    `settings` how the tiny corpus is trained on.
    """

    components: ClassVar[Sequence[Backend]] = ()
    saved: ClassVar[SavedModel | None] = None
    tolerance: ClassVar[float] = 1e-5
    settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def case(self, component: Backend) -> BackendCase:
        """The backend with what it is tested with."""
        return BackendCase(component, self.saved, self.tolerance, dict(self.settings))
