"""The conformance kit: checks for components of every kind, ours and anyone's.

In a plugin's own suite, three lines run them all with pytest::

    from textforge.testing import SamplerTests

    class TestMinP(SamplerTests):
        components = [MinP(), MinP(p=0.5)]

Without pytest, `run_checks` runs them on a component, and ``textforge plugins check min-p:0.5`` from the command line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge.testing.cases import CorpusCase, EncoderCase, SamplerCase
    from textforge.testing.checks import CHECKS, CheckResult, run_case, run_checks
    from textforge.testing.failures import CheckFailure, NotApplicable
    from textforge.testing.format_case import FormatCase
    from textforge.testing.model_cases import ArchitectureCase, BackendCase, ImplementationCase
    from textforge.testing.suites import (
        ArchitectureTests,
        BackendTests,
        CorpusTests,
        EncoderTests,
        FormatTests,
        ImplementationTests,
        SamplerTests,
    )

_MODULES = {
    "ArchitectureCase": "model_cases",
    "ArchitectureTests": "suites",
    "BackendCase": "model_cases",
    "BackendTests": "suites",
    "CHECKS": "checks",
    "CheckFailure": "failures",
    "CheckResult": "checks",
    "CorpusCase": "cases",
    "CorpusTests": "suites",
    "EncoderCase": "cases",
    "EncoderTests": "suites",
    "FormatCase": "format_case",
    "FormatTests": "suites",
    "ImplementationCase": "model_cases",
    "ImplementationTests": "suites",
    "NotApplicable": "failures",
    "SamplerCase": "cases",
    "SamplerTests": "suites",
    "run_case": "checks",
    "run_checks": "checks",
}

__all__ = [
    "CHECKS",
    "ArchitectureCase",
    "ArchitectureTests",
    "BackendCase",
    "BackendTests",
    "CheckFailure",
    "CheckResult",
    "CorpusCase",
    "CorpusTests",
    "EncoderCase",
    "EncoderTests",
    "FormatCase",
    "FormatTests",
    "ImplementationCase",
    "ImplementationTests",
    "NotApplicable",
    "SamplerCase",
    "SamplerTests",
    "run_case",
    "run_checks",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'textforge.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"textforge.testing.{_MODULES[name]}"), name)
