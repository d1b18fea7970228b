"""Checks of every component, whatever its kind."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from textforge.components.component import Component
from textforge.components.spec import parse_spec
from textforge.components.values import quote
from textforge.errors import TextforgeError
from textforge.plugins.kinds import KINDS
from textforge.plugins.registry import Plugins
from textforge.testing import fresh
from textforge.testing.failures import CheckFailure, NotApplicable, choose_mend, describe_error, fail
from textforge.testing.isolation import SEED, generator_states, guard_generators, keep_frameworks, silence_warnings

if TYPE_CHECKING:
    from textforge.testing.cases import Case

START_SECONDS = 0.5
"""The longest that importing a component's module and making it may take, beside what its kind needs anyway."""
TRIES = 3
GIVE = "give what it needs in its test class, or with --encoder or --model"


def check_use(case: Case) -> None:
    """Check that it does its work once. Where it doesn't, no other check is run: all would fail for that reason."""
    try:
        with silence_warnings():
            case.use()
    except CheckFailure:
        raise
    except NotApplicable as reason:
        fail(f"something to check the {case.kind} with", str(reason), GIVE)
    except TextforgeError as error:
        fail(f"the {case.kind} to do its work", describe_error(error), "mend this first: no other check was run")
    except Exception as error:
        mend = choose_mend(error, "see where it comes from with the pytest class of the kit; no other check was run")
        fail(f"the {case.kind} to do its work", describe_error(error), mend)


def check_spec_round_trip(case: Case) -> None:
    """Check that the component's spec reads back as an equal component."""
    component = case.component
    spec = component.spec
    try:
        parsed = parse_spec(spec)
        again: Component = parsed.build(type(component))
    except TextforgeError as error:
        fail(
            f"the spec {spec!r} to be read back",
            describe_error(error),
            "leave `spec` as it is inherited, and let __attrs_post_init__ accept what it has made",
        )
    if again != component or parsed.name != component.name:
        fail(
            f"the spec {spec!r} to read back as {component!r}",
            repr(again),
            "don't change options after the constructor: compute what follows from them in a property",
        )


def check_described(case: Case) -> None:
    """Check that the class and each of its options say in a sentence what they are, for ``textforge options``."""
    cls = type(case.component)
    if not (cls.__doc__ or "").strip():
        fail(f"{cls.__name__} to have a docstring", "none", "write one: its first line is shown by `textforge options`")
    for name, option in cls.options().items():
        if not option.help.strip().endswith((".", "!", "?")) or len(option.help.split()) < 2:
            fail(
                f"the option {name} of {cls.__name__} to be described in a sentence",
                repr(option.help),
                'write help="What it does, in words, with a full stop."',
            )


def check_name(case: Case) -> None:
    """Check that no component of textforge itself has its name."""
    cls = type(case.component)
    for found in Plugins(disabled="all").components(case.kind) if case.kind in KINDS else ():
        if found.name == cls.name and _place(found.cls) != _place(cls):
            fail(
                f"a name that no other {case.kind} has",
                f"{cls.name!r}, the name of {found.cls.__module__}.{found.cls.__qualname__}",
                "choose another one: only the first of a name is found by it",
            )


def check_light_import(case: Case) -> None:
    """Check that importing and making the component is quick, and imports no framework that it declares."""
    component = case.component
    begun = fresh.start(component)
    frameworks = {name.replace("-", "_") for name in getattr(component, "frameworks", ())}
    found = sorted(frameworks.intersection(begun.modules))
    mend = "import it inside the method that needs it: every command would wait for it"
    if found:
        fail(
            f"the module {type(component).__module__} to import no framework", f"an import of {', '.join(found)}", mend
        )
    for _ in range(TRIES - 1):  # a machine may be busy: the least of some times counts
        if begun.seconds > START_SECONDS:
            begun = min(begun, fresh.start_anew(component), key=lambda one: one.seconds)
    if begun.seconds > START_SECONDS:
        slowest = f" (of which {begun.slowest})" if begun.slowest else ""
        fail(
            f"the module {type(component).__module__} to be imported, and the {case.kind} made, "
            f"in less than {START_SECONDS} s",
            f"{begun.seconds:.2g} s{slowest}",
            "import what is slow, and compute what takes long, inside the method that needs it: "
            "every command would wait for it",
        )


def check_silent(case: Case) -> None:
    """Check that nothing is printed on standard output, which has the generated text and nothing else."""
    printed = _read_printed_at_start(case)
    when = "when it is imported or made"
    if not printed:
        when, output = "when it is used", io.StringIO()
        with redirect_stdout(output), silence_warnings():
            case.use()
        printed = output.getvalue().strip()
    if printed:
        fail(
            "nothing on standard output",
            f"{quote(printed[:60])}, {when}",
            "remove the print: a reader of the output, of `textforge plugins --json` say, finds it there; "
            "warnings.warn tells a user, logging a developer",
        )


def check_global_generators(case: Case) -> None:
    """Check that global random generators, Python's, NumPy's and every imported framework's, are left alone."""
    before, after = _states_around_use(case)
    if after.keys() > before.keys():  # a framework that was imported only now has had no state to compare with
        before, after = _states_around_use(case)
    changed = sorted(name for name, state in before.items() if after[name] != state)
    if changed:
        fail(
            "the global generators of random numbers to be left alone",
            f"a change in that of {', '.join(changed)}",
            "draw from a generator of your own, such as np.random.Generator(np.random.PCG64(seed)), or a sampler from "
            "context.random: other parts of the program count on theirs",
        )


CHECKS = (
    check_spec_round_trip,
    check_described,
    check_name,
    check_light_import,
    check_silent,
    check_global_generators,
)
"""The checks of every component; `check_use` comes before all others of a kind."""


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _states_around_use(case: Case) -> tuple[dict[str, bytes], dict[str, bytes]]:
    with guard_generators(SEED), keep_frameworks(), redirect_stdout(io.StringIO()):
        before = generator_states()
        case.use()
        return before, generator_states()


def _read_printed_at_start(case: Case) -> str:
    try:
        return fresh.start(case.component).printed
    except (CheckFailure, NotApplicable):  # told by the check of light imports
        return ""
