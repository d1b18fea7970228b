"""All checks, by kind of component, and running them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from textforge.components.component import Component
from textforge.testing import backend_checks, corpus_checks, encoder_checks, sampler_checks
from textforge.testing.cases import BackendCase, Case, CorpusCase, EncoderCase, SamplerCase, case_of
from textforge.testing.failures import CheckFailure, NotApplicable, described

Check = Callable[[Any], None]
"""A function that is given a case, and raises `CheckFailure`, or `NotApplicable`."""

CHECKS: Mapping[type[Case], tuple[Check, ...]] = MappingProxyType(
    {
        SamplerCase: sampler_checks.CHECKS,
        EncoderCase: encoder_checks.CHECKS,
        CorpusCase: corpus_checks.CHECKS,
        BackendCase: backend_checks.CHECKS,
    }
)


@attrs.frozen
class CheckResult:
    """How a check ended."""

    name: str
    """The check's name in words: ``rows independent``."""
    failure: str | None = None
    """What was expected, what came, and how to mend it."""
    skipped: str | None = None
    """Why it doesn't apply."""


def title_of(check: Check) -> str:
    """A check's name in words.

    >>> from textforge.testing.sampler_checks import check_one_finite
    >>> title_of(check_one_finite)
    'one finite'
    """
    name: str = getattr(check, "__name__", "check")
    return name.removeprefix("check_").replace("_", " ")


def run_check(check: Check, case: Case) -> CheckResult:
    """Run one check; whatever a component raises is a failure of it."""
    title = title_of(check)
    try:
        check(case)
    except NotApplicable as reason:
        return CheckResult(title, skipped=str(reason))
    except CheckFailure as failure:
        return CheckResult(title, failure=str(failure))
    except Exception as error:
        return CheckResult(title, failure=str(unforeseen(error)))
    return CheckResult(title)


def unforeseen(error: Exception) -> CheckFailure:
    """What a check says of an exception that no contract speaks of."""
    return CheckFailure("no exception", described(error), "see where it comes from with the pytest class of the kit")


def run_checks(component: Component, **details: Any) -> Iterator[CheckResult]:
    """Run all checks of a component's kind, giving each result as it comes.

    >>> from textforge.samplers.top_k import TopK
    >>> [result.name for result in run_checks(TopK(3)) if result.failure]
    []
    """
    case = case_of(component, **details)
    for check in CHECKS[type(case)]:
        yield run_check(check, case)
