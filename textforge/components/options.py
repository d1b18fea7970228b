"""The declaration of one option, or of what is learnt: `option`, `learned`, and their records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from textforge.components import values
from textforge.errors import nearest

T = TypeVar("T")

KEY = "textforge"
"""The key of a field's declaration in its metadata: an `Option`, or `LEARNED`."""
LEARNED = "learned"


@attrs.frozen
class Option:
    """The declaration of one option."""

    name: str
    kind: Any
    help: str
    default: Any = attrs.NOTHING
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[Any, ...] | None = None
    remedy: str = ""

    @property
    def required(self) -> bool:
        """True where the option has no default."""
        return self.default is attrs.NOTHING

    def check(self, value: Any) -> Any:
        """Return the value in the form it is kept in; choices and bounds hold for each item of a list.

        Raises `ValueError`, its message without the option's name, where it is refused.
        """
        checked = values.check(value, self.kind)
        if not isinstance(checked, tuple):
            self._check_one(checked, value)
            return checked
        for item in checked:
            self._check_one(item, item)
        return checked

    def _check_one(self, checked: Any, given: Any) -> None:
        if checked is None:
            return
        if self.choices is not None and checked not in self.choices:
            choices = self.choice_texts
            hint = nearest(str(checked), choices)
            raise ValueError(f"must be one of {', '.join(choices)}, got {values.quote(checked)}{hint}")
        if isinstance(checked, (int, float)) and not self._in_bounds(checked):
            least = self.gt if self.ge is None else self.ge
            remedy = f"; {self.remedy}" if self.remedy and least is not None and checked <= least else ""
            raise ValueError(f"must be {self.bounds}, got {values.quote(given)}{remedy}")

    def _in_bounds(self, value: float) -> bool:
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    @property
    def choice_texts(self) -> list[str]:
        """The choices as a person writes them: ``true``, not ``True``."""
        return [str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in self.choices or ()]

    @property
    def bounds(self) -> str:
        """The range in words, such as ``> 0 and <= 1``; empty where there is none."""
        signs = {">": self.gt, ">=": self.ge, "<": self.lt, "<=": self.le}
        return " and ".join(f"{sign} {bound}" for sign, bound in signs.items() if bound is not None)

    def write(self, value: Any) -> str:
        """Return the value as it stands in a spec."""
        return values.write(value, self.kind)

    def complete(self, name: str, kind: Any) -> Option:
        """Return the declaration with the name and kind it has in its class, its default in the form it is kept in.

        Raises `TypeError`, its message without the option's name, for a declaration that contradicts itself.
        """
        values.describe(kind)
        if not self.help.strip():
            raise TypeError("needs a help text: option(help=…)")
        if self.bounds and not _has_numbers(kind):
            raise TypeError(f"can't be {self.bounds}: it is {values.describe(kind)}, no number")
        named = attrs.evolve(self, name=name, kind=kind)
        if self.required:
            return named
        try:
            return attrs.evolve(named, default=named.check(self.default))
        except ValueError as error:
            raise TypeError(f"has a default that is refused: it {error}") from None


def _has_numbers(kind: Any) -> bool:
    kinds = [values.item_kind(member) or member for member in values.members(kind)]
    return any(number in values.members(kind) for kind in kinds for number in (int, float))


def option(
    *,
    default: T = attrs.NOTHING,  # type: ignore[assignment]
    help: str,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    choices: Sequence[Any] | None = None,
    remedy: str = "",
) -> T:
    """Declare an option of a component.

    `default` makes it optional; `gt`, `ge`, `lt`, `le` and `choices` say which values are accepted. `remedy` says what
    else to do, in the message that refuses a number which is too small: 0 is how other programs switch off.
    """
    declaration = Option(
        name="",
        kind=None,
        help=help,
        default=default,
        gt=gt,
        ge=ge,
        lt=lt,
        le=le,
        choices=None if choices is None else tuple(choices),
        remedy=remedy,
    )
    return attrs.field(default=default, metadata={KEY: declaration})


def learned(*, default: Any = None) -> Any:
    """Declare a value that a component learns from data: saved and compared, but no option.

    It is given by keyword, and stands in neither the spec nor the repr. Its value, like its default, should be one
    that can't change and that ``==`` compares to true or false: text, a number, a tuple; not a list or an array.
    """
    if isinstance(default, (list, dict, set, bytearray)):
        raise TypeError(f"learned(default={default!r}) would be shared by all: write None, or () for a list")
    return attrs.field(default=default, kw_only=True, repr=False, metadata={KEY: LEARNED})
