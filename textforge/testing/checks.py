"""All checks, by kind of component, and the running of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from textforge.architectures.base import Architecture
from textforge.backends.base import Backend
from textforge.components.component import Component
from textforge.corpora.base import Corpus
from textforge.encoders.base import Encoder
from textforge.errors import PluginError, list_names, nearest
from textforge.formats.base import Format
from textforge.samplers.base import Sampler
from textforge.testing import (
    architecture_checks,
    backend_checks,
    corpus_checks,
    encoder_checks,
    format_checks,
    implementation_checks,
    sampler_checks,
)
from textforge.testing.cases import Case, CorpusCase, EncoderCase, SamplerCase
from textforge.testing.component_checks import check_use
from textforge.testing.failures import CheckFailure, NotApplicable, described, fail
from textforge.testing.format_case import FormatCase
from textforge.testing.model_cases import ArchitectureCase, BackendCase, ImplementationCase

Check = Callable[[Any], None]
"""A function that is given a case, and raises `CheckFailure`, or `NotApplicable`."""

CHECKS: Mapping[type[Case], tuple[Check, ...]] = MappingProxyType(
    {
        SamplerCase: sampler_checks.CHECKS,
        EncoderCase: encoder_checks.CHECKS,
        CorpusCase: corpus_checks.CHECKS,
        ArchitectureCase: architecture_checks.CHECKS,
        ImplementationCase: implementation_checks.CHECKS,
        BackendCase: backend_checks.CHECKS,
        FormatCase: format_checks.CHECKS,
    }
)

CASES: Mapping[type[Component], type[Case]] = MappingProxyType(
    {
        Corpus: CorpusCase,
        Encoder: EncoderCase,
        Architecture: ArchitectureCase,
        Backend: BackendCase,
        Sampler: SamplerCase,
        Format: FormatCase,
    }
)
"""The case of each kind of component."""

NONE: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class CheckResult:
    """The end of a check: passed, unless it says otherwise."""

    name: str
    """The check's name in words: ``rows independent``."""
    failure: str | None = None
    """What was expected, what came, and how to mend it."""
    skipped: str | None = None
    """Why it doesn't apply."""
    expected: str | None = None
    """Why it was known to fail, as it did."""
    fatal: bool = False
    """Whether the failure kept the checks that follow from being run."""


def title_of(check: Check) -> str:
    """Return a check's name in words.

    >>> from textforge.testing.sampler_checks import check_one_finite
    >>> title_of(check_one_finite)
    'one finite'
    """
    return to_title(getattr(check, "__name__", "check"))


def to_title(name: str) -> str:
    """Return a check's name in words, from any way to write it: ``check_one_finite``, ``one-finite``."""
    return name.strip().replace("_", " ").replace("-", " ").removeprefix("check ").removeprefix("test ")


def case_of(component: Component, **details: Any) -> Case:
    """Return the case of a component: of its kind, with the kit's own texts and models but for `details`.

    Raises `PluginError` for what is no component that is checked, and `CheckFailure` for a class.
    """
    for base, case in CASES.items():
        if isinstance(component, base):
            return case(component, **details)
    if isinstance(component, type):
        fail("a component", f"the class {component.__name__}", f"make one: {component.__name__}(…)")
    kinds = sorted(case.kind for case in CASES.values())
    raise PluginError(f"{', '.join(kinds[:-1])} or {kinds[-1]} is expected, got {component!r}")


def read_expected_failures(given: Mapping[str, str], case: type[Case]) -> dict[str, str]:
    """Return the reasons why checks of a kind are known to fail, by the checks' names in words.

    Raises `PluginError` for a check that there isn't.
    """
    return reasons_by_kind(given, [case.kind])[case.kind]


def reasons_by_kind(given: Mapping[str, str], kinds: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return by kind the reasons why checks are known to fail, by the checks' names in words.

    Raises `PluginError` for a check that none of the kinds has.
    """
    titles = {case.kind: [title_of(check) for check in checks] for case, checks in CHECKS.items() if case.kind in kinds}
    known = list(dict.fromkeys(title for kind in titles.values() for title in kind))
    reasons = {to_title(name): reason for name, reason in given.items()}
    for name in reasons:
        if name not in known:
            raise PluginError(
                f"there is no check {name!r} of a {' or a '.join(titles)}; the checks are {list_names(known)}"
                f"{nearest(name, known)}"
            )
    return {kind: {name: reason for name, reason in reasons.items() if name in titles.get(kind, ())} for kind in kinds}


def run_check(check: Check, case: Case, expected: str | None = None) -> CheckResult:
    """Run one check; whatever a component raises is a failure of it. `expected` says why it is known to fail."""
    title = title_of(check)
    try:
        check(case)
    except NotApplicable as reason:
        return CheckResult(title, skipped=str(reason))
    except Exception as error:
        if expected is not None:
            return CheckResult(title, expected=expected)
        failure = error if isinstance(error, CheckFailure) else unforeseen(error)
        return CheckResult(title, failure=str(failure), fatal=check is check_use)
    if expected is not None:
        return CheckResult(title, failure=str(unexpected_pass(expected)))
    return CheckResult(title)


def unforeseen(error: Exception) -> CheckFailure:
    """Return what a check says of an exception that no contract speaks of."""
    return CheckFailure("no exception", described(error), "see where it comes from with the pytest class of the kit")


def unexpected_pass(reason: str) -> CheckFailure:
    """Return what is said of a check that passes and was known to fail."""
    return CheckFailure(f"a failure ({reason})", "a pass", "take it out of the expected failures")


def run_checks(
    component: Component, *, expected_failures: Mapping[str, str] = NONE, **details: Any
) -> Iterator[CheckResult]:
    """Run all checks of a component's kind, giving each result as it comes; `run_case` says more.

    `details` are the case's: an `encoder` for a sampler, `texts` for an encoder, a `tolerance`, …

    >>> from textforge.samplers.top_k import TopK
    >>> [result.name for result in run_checks(TopK(3)) if result.failure]
    []
    """
    return run_case(case_of(component, **details), expected_failures)


def run_case(case: Case, expected_failures: Mapping[str, str] = NONE) -> Iterator[CheckResult]:
    """Run all checks of a case, each on a new component, giving each result as it comes.

    Where the component doesn't do its work at all, that is the last result. `expected_failures` names checks that are
    known to fail, each with the reason: one that fails is no failure, and one that passes is.
    """
    reasons = read_expected_failures(expected_failures, type(case))
    for check in CHECKS[type(case)]:
        result = run_check(check, case.renew(), reasons.get(title_of(check)))
        yield result
        if result.fatal:
            return
