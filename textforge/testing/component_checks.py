"""What every component is checked for, whatever its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textforge.components.component import Component
from textforge.components.spec import parse_spec
from textforge.errors import TextforgeError
from textforge.testing import fresh
from textforge.testing.failures import described, fail

if TYPE_CHECKING:
    from textforge.testing.cases import Case

FRAMEWORKS = frozenset(
    {"torch", "tensorflow", "keras", "jax", "flax", "onnxruntime", "transformers", "sklearn", "pandas"}
)
"""What takes long to import, and so is imported only when it is needed."""


def check_spec_round_trip(case: Case) -> None:
    """The component's spec reads back as an equal component."""
    component = case.component
    spec = component.spec
    try:
        parsed = parse_spec(spec)
        again: Component = parsed.build(type(component))
    except TextforgeError as error:
        fail(
            f"the spec {spec!r} to be read back",
            described(error),
            "leave `spec` as it is inherited, and let __attrs_post_init__ accept what it has made",
        )
    if again != component or parsed.name != component.name:
        fail(
            f"the spec {spec!r} to read back as {component!r}",
            repr(again),
            "don't change options after the constructor: compute what follows from them in a property",
        )


def check_described(case: Case) -> None:
    """The class and each of its options say in a sentence what they are, for ``textforge options``."""
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


def check_light_import(case: Case) -> None:
    """Importing the component's module and making the component imports no framework."""
    component = case.component
    framework = getattr(component, "framework", None)
    heavy = FRAMEWORKS | ({framework.replace("-", "_")} if framework else set())
    found = sorted(heavy.intersection(fresh.ask("imports", component)))
    if found:
        fail(
            f"the module {type(component).__module__} to import no framework",
            f"an import of {', '.join(found)}",
            "import it inside the method that needs it: every command would wait for it",
        )


CHECKS = (check_spec_round_trip, check_described, check_light_import)
