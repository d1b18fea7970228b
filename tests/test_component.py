from __future__ import annotations

import copy
import functools
import math
import pickle
import sys
import types
import typing
import typing as t
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.components.component import Component, Declared, Option, build, learned, option
from textforge.components.values import Bare
from textforge.errors import OptionError, SpecError

if typing.TYPE_CHECKING:
    from collections import OrderedDict as OnlyForTheChecker

Size = int | None


class Shape(Component):
    """A component with an option of every sort."""

    name = "shape"
    width: float = option(default=0.5, gt=0, le=1, help="Width.")
    sides: int = option(default=4, ge=3, lt=100, help="Sides.")
    colour: str = option(default="red", choices=("red", "green"), help="Colour.")
    size: Size = option(default=None, ge=1, help="Size.")
    tags: tuple[str, ...] = option(default=[], help="Tags.")  # type: ignore[arg-type]
    weights: dict[str, float] = option(default={}, help="Weights.")


class Learner(Component):
    name = "learner"
    vocabulary: str = learned(default="")
    lowercase: bool = option(default=False, help="Lower case.")
    counts: tuple[int, ...] = learned(default=())

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        return {character: id for id, character in enumerate(self.vocabulary)}


class Needs(Component):
    name = "needs"
    path: str = option(help="A path.")
    depth: int = option(default=1, help="Depth.")


class TestOptions:
    def test_defaults_and_their_form(self) -> None:
        shape = Shape()
        assert shape.option_values() == {
            "width": 0.5,
            "sides": 4,
            "colour": "red",
            "size": None,
            "tags": (),
            "weights": {},
        }
        assert repr(shape) == "Shape(width=0.5, sides=4, colour='red', size=None, tags=(), weights={})"

    def test_positions_are_the_order_of_declaration(self) -> None:
        assert Shape(1, 5, "green", 2, ["a"], {"b": 1}).option_values() == {
            "width": 1.0,
            "sides": 5,
            "colour": "green",
            "size": 2,
            "tags": ("a",),
            "weights": {"b": 1.0},
        }

    def test_a_declaration_can_be_read(self) -> None:
        options = Shape.options()
        assert list(options) == ["width", "sides", "colour", "size", "tags", "weights"]
        assert options["width"].bounds == "> 0 and <= 1"
        assert options["width"].kind is float
        assert options["tags"].default == ()
        assert not options["width"].required
        assert Needs.options()["path"].required
        assert Needs.options()["depth"] == Option(name="depth", kind=int, help="Depth.", default=1)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"width": 2}, "shape: width must be > 0 and <= 1, got 2"),
            ({"width": 0}, "shape: width must be > 0 and <= 1, got 0"),
            ({"width": Bare("2.50")}, "shape: width must be > 0 and <= 1, got 2.50"),
            ({"width": "wide"}, "shape: width must be a number, got 'wide'"),
            ({"width": math.nan}, "shape: width must be a number, got NaN"),
            ({"width": None}, "shape: width must be a number, got None"),
            ({"sides": 100}, "shape: sides must be >= 3 and < 100, got 100"),
            ({"sides": True}, "shape: sides must be a whole number, got true"),
            ({"sides": 3.0}, "shape: sides must be a whole number, got 3.0"),
            ({"colour": "gren"}, "shape: colour must be one of red, green, got 'gren'; did you mean 'green'?"),
            ({"colour": "x" * 500}, f"shape: colour must be one of red, green, got '{'x' * 56}..."),
            ({"size": 0}, "shape: size must be >= 1, got 0"),
            ({"tags": "a"}, "shape: tags must be a list, each text, got 'a'"),
            ({"tags": ["a\nb", 1]}, r"shape: tags must be a list, each text, got ['a\nb', 1]"),
            ({"weights": {"a": "b"}}, "shape: weights must be a table from text to a number, got {'a': 'b'}"),
        ],
    )
    def test_what_is_refused(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(OptionError) as caught:
            Shape(**given)
        assert str(caught.value) == message

    @given(width=st.one_of(st.floats(), st.integers()))
    def test_bounds_hold(self, width: float) -> None:
        if 0 < width <= 1:
            assert Shape(width).width == width
            return
        with pytest.raises(OptionError, match=r"^shape: width must be "):
            Shape(width)

    def test_choices_and_bounds_hold_for_each_of_a_list(self) -> None:
        class Lists(Component):
            name = "lists"
            sizes: tuple[int, ...] = option(default=(), ge=1, help="Sizes.")
            colours: tuple[str, ...] = option(default=(), choices=["red", "green"], help="Colours.")

        assert Lists([1, 2], ["red"]) == Lists((1, 2), ("red",))
        with pytest.raises(OptionError, match=r"^lists: sizes must be >= 1, got 0$"):
            Lists(sizes=[1, 0])
        with pytest.raises(OptionError, match=r"^lists: colours must be one of red, green, got 'blue'$"):
            Lists(colours=["red", "blue"])

    def test_python_says_which_arguments_are_wrong(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'widht'"):
            Shape(widht=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'path'"):
            Needs()  # type: ignore[call-arg]

    def test_a_default_is_nobodys_to_change(self) -> None:
        Shape().weights["a"] = 1.0
        given = {"a": 1.0}
        shape = Shape(weights=given)
        given["a"] = 2.0
        assert Shape().weights == {}
        assert shape.weights == {"a": 1.0}


class TestValueSemantics:
    def test_a_component_is_frozen(self) -> None:
        with pytest.raises(AttributeError):
            Shape().width = 1.0  # type: ignore[misc]
        with pytest.raises(AttributeError):
            del Shape().width

    def test_equal_by_class_and_value(self) -> None:
        class Other(Shape):
            pass

        assert Shape(width=1) == Shape(width=1.0)
        assert Shape() != Shape(sides=5)
        assert Shape() != Other()
        assert Shape(weights={"a": 1}) == Shape(weights={"a": 1})
        assert Learner(vocabulary="a") != Learner(vocabulary="b")

    def test_hash_where_values_have_one(self) -> None:
        assert len({Learner(True), Learner(True), Learner()}) == 2
        with pytest.raises(TypeError, match="unhashable"):
            hash(Shape())

    @pytest.mark.parametrize("component", [Shape(tags=["a"], weights={"b": 1}), Learner(True, vocabulary="ab")])
    def test_copies_are_equal(self, component: Component) -> None:
        assert pickle.loads(pickle.dumps(component)) == component
        assert copy.copy(component) == component
        assert copy.deepcopy(component) == component
        assert component.replace() == component

    def test_a_copy_after_something_was_cached(self) -> None:
        learner = Learner(vocabulary="ab")
        assert learner.ids == {"a": 0, "b": 1}
        assert pickle.loads(pickle.dumps(learner)) == learner
        assert learner.replace(vocabulary="b").ids == {"b": 0}

    def test_replace_checks_and_keeps_the_rest(self) -> None:
        learner = Learner(True, vocabulary="ab", counts=(1, 2))
        assert learner.replace(lowercase=False) == Learner(False, vocabulary="ab", counts=(1, 2))
        assert learner.replace(vocabulary="c") == Learner(True, vocabulary="c", counts=(1, 2))
        with pytest.raises(OptionError, match=r"^shape: sides must be >= 3 and < 100, got 2$"):
            Shape().replace(sides=2)
        with pytest.raises(OptionError, match=r"^shape: there is no option 'side'; .*; did you mean 'sides'\?$"):
            Shape().replace(side=2)


class TestLearned:
    def test_learnt_fields_are_no_options(self) -> None:
        learner = Learner(vocabulary="ab", counts=(1,))
        assert list(Learner.options()) == ["lowercase"]
        assert Learner.learned_fields() == ("vocabulary", "counts")
        assert learner.learned_values() == {"vocabulary": "ab", "counts": (1,)}
        assert learner.option_values() == {"lowercase": False}
        assert (repr(learner), learner.spec) == ("Learner(lowercase=False)", "learner:false")

    def test_learnt_fields_are_given_by_keyword(self) -> None:
        assert Learner(True).lowercase is True
        with pytest.raises(TypeError):
            Learner(True, "ab")  # type: ignore[misc]

    def test_a_learnt_field_is_not_to_be_set_in_a_spec(self) -> None:
        with pytest.raises(OptionError, match=r"^learner: there is no option 'vocabulary'; its options are lowercase$"):
            build(Learner, given={"vocabulary": Bare("a")})

    @pytest.mark.parametrize("default", [[], {}, {1}, bytearray()], ids=repr)
    def test_a_default_that_all_would_share(self, default: Any) -> None:
        with pytest.raises(TypeError, match=r"would be shared by all: write None, or \(\) for a list"):
            learned(default=default)


class TestInheritance:
    def test_a_subclass_adds_behind_what_it_inherits(self) -> None:
        class Base(Component):
            name = "base"
            a: int = option(default=1, help="A.")
            b: float = option(default=2, help="B.")

        class Middle(Base):
            b: float = option(default=3, lt=10, help="B anew.")
            c: str = option(default="c", help="C.")

        class Leaf(Middle):
            name = "leaf"

        class Last(Leaf):
            a: int = option(default=5, help="A anew.")
            d: bool = option(default=True, help="D.")

        assert list(Last.options()) == ["a", "b", "c", "d"]
        assert repr(Last(7, 8, "x", False)) == "Last(a=7, b=8.0, c='x', d=False)"
        assert repr(Last()) == "Last(a=5, b=3.0, c='c', d=True)"
        assert repr(Base()) == "Base(a=1, b=2.0)"
        assert Leaf(b=4).spec == "leaf:b=4.0"
        with pytest.raises(OptionError, match=r"^leaf: b must be < 10, got 10$"):
            Last(b=10)
        assert Base(b=10).b == 10

    def test_several_bases(self) -> None:
        class Left(Component):
            name = "left"
            a: int = option(default=1, help="A.")
            x: int = option(default=2, help="X of the left.")

        class Right(Component):
            name = "right"
            b: int = option(default=3, help="B.")
            x: int = option(default=4, help="X of the right.")

        class Both(Left, Right):
            b: int = option(default=5, help="B anew.")
            c: int = option(default=6, help="C.")

        assert repr(Both()) == "Both(a=1, x=2, b=5, c=6)"
        assert repr(Both(9, 8, 7, 6)) == "Both(a=9, x=8, b=7, c=6)"

    def test_a_diamond(self) -> None:
        class Top(Component):
            name = "top"
            a: int = option(default=1, help="A.")

        class Left(Top):
            pass

        class Right(Top):
            a: int = option(default=2, help="A of the right.")

        class Bottom(Left, Right):
            pass

        assert Bottom().a == 2

    @pytest.mark.parametrize("mixin_first", [True, False])
    def test_mixins_that_declare_nothing(self, mixin_first: bool) -> None:
        class Loud:
            volume: int
            LEVELS = (1, 2)

            def shout(self) -> str:
                return self.__class__.__name__.upper() + "!" * self.volume

        bases = (Loud, Shape) if mixin_first else (Shape, Loud)
        body = {"__annotations__": {"volume": int}, "volume": option(default=2, help="Volume.")}
        cls: Any = type(Component)("LoudShape", bases, body)
        assert cls().shout() == "LOUDSHAPE!!"
        assert list(cls.options()) == [*Shape.options(), "volume"]

    def test_abstract_classes_between(self) -> None:
        class Base(Component, ABC):
            size: int = option(default=1, help="Size.")

            @abstractmethod
            def run(self) -> int: ...

        class Real(Base):
            name = "real"

            def run(self) -> int:
                return self.size

        with pytest.raises(TypeError, match="abstract"):
            Base()  # type: ignore[abstract]
        assert Real(3).run() == 3

    def test_super_and_after_the_constructor(self) -> None:
        class Checked(Shape):
            def __attrs_post_init__(self) -> None:
                if self.sides == 13:
                    raise OptionError(f"{self.title()}sides must not be 13")

            @classmethod
            def title(cls) -> str:
                return "the " + super().title()

        with pytest.raises(OptionError, match=r"^the shape: sides must not be 13$"):
            Checked(sides=13)
        with pytest.raises(OptionError, match=r"^the shape: sides must be >= 3"):
            Checked(sides=1)


MODULE = """
Size = int

class Late(Component):
    name = "late"
    LIMIT: ClassVar[int] = 3
    size: Size = option(default=1, help="Size.")
    sizes: tuple["Size", ...] = option(default=(), help="Sizes.")
    both: "Size | None" = option(default=None, help="Both.")
    found: str = learned(default="")
"""


class TestAnnotations:
    """The annotations here are text, as everywhere under `from __future__ import annotations`."""

    def test_what_is_imported_or_local_to_the_class(self) -> None:
        class Local(Component):
            name = "local"
            Small = int
            a: Optional[int] = option(default=None, help="A.")  # noqa: UP045
            b: t.Union[int, None] = option(default=None, help="B.")  # noqa: UP007
            c: tuple["int", ...] = option(default=(), help="C.")  # noqa: UP037
            d: Small = option(default=1, help="D.")
            e: typing.Annotated[int, "a note"] = option(default=1, help="E.")

        kinds = [found.kind for found in Local.options().values()]
        assert kinds == [Optional[int], Optional[int], tuple[int, ...], int, int]  # noqa: UP045

    def test_class_variables_are_no_options(self) -> None:
        class Constants(Component):
            name = "constants"
            a: ClassVar[int] = 1
            b: t.ClassVar[OnlyForTheChecker[str, int]]
            c: typing.ClassVar = 3
            size: int = option(default=1, help="Size.")

        assert list(Constants.options()) == ["size"]
        assert (Constants.a, Constants.c) == (1, 3)
        assert Constants() == Constants(1)

    def test_annotations_that_are_objects(self) -> None:
        body = {
            "name": "objects",
            "__annotations__": {"a": int, "b": ClassVar[int], "c": "int | None", "d": Optional["int"]},
            "a": option(default=1, help="A."),
            "b": 2,
            "c": option(default=None, help="C."),
            "d": option(default=None, help="D."),
        }
        cls: Any = type(Component)("Objects", (Component,), body)
        assert list(cls.options()) == ["a", "c", "d"]
        assert cls(1, 2, 3).option_values() == {"a": 1, "c": 2, "d": 3}

    @pytest.mark.parametrize("future", [True, False])
    def test_a_module_with_and_without_the_future_import(self, future: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = ["from __future__ import annotations"] if future else []
        if future or sys.version_info >= (3, 14):  # where annotations aren't evaluated as they stand
            lines += [
                "class Early(Component):",
                "    shared: ClassVar[Late] = ()",
                "    later: ClassVar[dict[Late, int]]",
            ]
        module = types.ModuleType("fake_component_module")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        vars(module).update(Component=Component, option=option, learned=learned, ClassVar=ClassVar)
        exec(compile("\n".join([*lines, MODULE]), "<module>", "exec", dont_inherit=True), vars(module))
        late: Any = module.Late  # type: ignore[attr-defined]
        assert late(1, (2,)).option_values() == {"size": 1, "sizes": (2,), "both": None}
        assert late.learned_fields() == ("found",)
        assert [found.kind for found in late.options().values()] == [int, tuple[int, ...], int | None]

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are evaluated as they stand")
    def test_a_type_that_is_nowhere_without_the_future_import(self) -> None:
        namespace: dict[str, Any] = {"Component": Component, "option": option, "__name__": "fake_component_module"}
        source = "class Wrong(Component):\n    a: Nowhere | None = option(default=1, help='A.')"
        with pytest.raises(
            TypeError, match=r"Wrong\.a has a type that can't be read.*Nowhere.*at the top of the module"
        ):
            exec(compile(source, "<module>", "exec", dont_inherit=True), namespace)

    def test_a_module_that_is_nowhere(self) -> None:
        namespace: dict[str, Any] = {"Component": Component, "option": option, "__name__": "fake_nowhere"}
        source = "class It(Component):\n    name = 'it'\n    a: 'int' = option(default=1, help='A.')"
        exec(source, namespace)
        assert namespace["It"](2).a == 2


def declare(annotations: dict[str, Any], *bases: type, **body: Any) -> type:
    return type(Component)("Wrong", bases or (Shape,), {"__annotations__": annotations, **body})


class TestRefusedDeclarations:
    """Bodies that wouldn't mean what they seem to are refused as the class is made, with what to write."""

    @pytest.mark.parametrize(
        ("annotations", "body", "message"),
        [
            (
                {"a": "int"},
                {"a": 3},
                "Wrong.a is neither an option nor learnt: write `a: int = textforge.option(default=…, help=…)`, or `a",
            ),
            ({"a": int}, {}, "Wrong.a is neither an option nor learnt: write `a: int = textforge.option("),
            ({"a": int}, {"a": attrs.field(default=1)}, "Wrong.a is neither an option nor learnt"),
            ({"name": "str"}, {"name": "x"}, "`name = …` without an annotation"),
            ({}, {"a": option(default=1, help="A.")}, "Wrong.a needs its type: write `a: int = textforge.option(…)`"),
            ({}, {"a": learned()}, "Wrong.a needs its type"),
            ({}, {"a": attrs.field()}, "Wrong.a needs its type"),
            ({"a": "ClassVar[int]"}, {"a": option(help="A.")}, "Wrong.a needs its type"),
            ({"a": "int"}, {"a": option(default=1, help=" ")}, "Wrong.a needs a help text: option(help=…)"),
            ({"a": "list[int]"}, {"a": option(help="A.")}, "Wrong.a can't be of type list[int]: use bool, int"),
            ({"a": "tuple[int, int]"}, {"a": option(help="A.")}, "Wrong.a can't be of type tuple[int, int]: use"),
            ({"a": "Nowhere"}, {"a": option(help="A.")}, "Wrong.a has a type that can't be read, 'Nowhere': name"),
            (
                {"a": "OnlyForTheChecker"},
                {"a": option(help="A.")},
                "name 'OnlyForTheChecker' is not defined; import what it names at the top of the module",
            ),
            ({"a": "int |"}, {"a": option(help="A.")}, "Wrong.a "),
            (
                {"a": "int"},
                {"a": option(default=0, ge=1, help="A.")},
                "Wrong.a has a default that is refused: it must be >= 1, got 0",
            ),
            (
                {"a": "str"},
                {"a": option(default="c", choices=["a", "b"], help="A.")},
                "Wrong.a has a default that is refused: it must be one of a, b, got 'c'",
            ),
            (
                {"a": "str | None"},
                {"a": option(default=None, gt=0, help="A.")},
                "Wrong.a can't be > 0: it is text or none, no number",
            ),
            ({"a": "bool"}, {"a": option(default=True, gt=0, help="A.")}, "Wrong.a can't be > 0: it is true or false"),
            (
                {"a": "int"},
                {"a": option(help="A.")},
                "Wrong.a has no default, but width before it has one: give it a default too, or declare it first",
            ),
            ({"spec": "str"}, {"spec": option(default="", help="S.")}, "Wrong.spec would hide Component.spec: choose"),
            ({"options": "int"}, {"options": option(default=1, help="O.")}, "would hide Declared.options: choose"),
            ({"name": "str"}, {"name": option(default="", help="N.")}, "Wrong.name would hide Shape.name: choose"),
            ({"title": "str"}, {"title": learned()}, "Wrong.title would hide Component.title: choose another name"),
            ({"_a": "int"}, {"_a": option(default=1, help="A.")}, "Wrong._a can't be written in a spec: use letters"),
            ({"größe": "int"}, {"größe": option(default=1, help="G.")}, "Wrong.größe can't be written in a spec"),
            ({}, {"width": 0.7}, "Wrong.width would hide the option it inherits: declare it anew, `width: … ="),
            ({}, {"width": property(lambda self: 1)}, "Wrong.width would hide the option it inherits"),
            ({}, {"__init__": lambda self: None}, "Wrong has an __init__, but its options make the constructor"),
        ],
    )
    def test_the_class_is_refused(self, annotations: dict[str, Any], body: dict[str, Any], message: str) -> None:
        with pytest.raises(TypeError) as caught:
            declare(annotations, **body)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250

    def test_an_abstract_property_is_no_place_for_a_learnt_field(self) -> None:
        class Base(Component):
            @property
            @abstractmethod
            def size(self) -> int: ...

        with pytest.raises(TypeError, match=r"^Wrong\.size would hide Base\.size: choose another name$"):
            declare({"size": "int"}, Base, size=learned())

    def test_a_required_option_may_stand_before_learnt_fields_and_defaults(self) -> None:
        cls: Any = declare(
            {"found": "str", "path": "str", "depth": "int"},
            Component,
            found=learned(),
            path=option(help="Path."),
            depth=option(default=1, help="Depth."),
        )
        assert cls("a", 2, found="b").option_values() == {"path": "a", "depth": 2}


class TestBuild:
    def test_the_first_value_is_the_first_options(self) -> None:
        assert build(Shape, Bare("0.25"), {"sides": Bare("7")}) == Shape(0.25, 7)
        assert build(Needs, "a", {"depth": 2}) == Needs("a", 2)
        assert build(Shape) == Shape()

    @pytest.mark.parametrize(
        ("cls", "first", "given", "error", "message"),
        [
            (Shape, Bare("1"), {"width": 1}, SpecError, "shape: width is given twice; the first value is width's"),
            (Shape, None, {"colr": "red"}, OptionError, "shape: there is no option 'colr'; its options are width, "),
            (Needs, None, {"depth": 1}, OptionError, "needs: path is needed: write needs:path=…"),
            (Shape, Bare("big"), {}, OptionError, "shape: width must be a number, got 'big'"),
        ],
    )
    def test_what_is_refused(
        self, cls: type[Component], first: Any, given: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error) as caught:
            build(cls, first, given)
        assert str(caught.value).startswith(message)


def test_settings_are_declared_the_same_way_but_have_no_name() -> None:
    class Settings(Declared):
        epochs: int = option(default=1, ge=1, help="Epochs.")

    with pytest.raises(OptionError, match=r"^epochs must be >= 1, got 0$"):
        Settings(epochs=0)
    with pytest.raises(OptionError, match=r"^there is no option 'epoch'; its options are epochs; did you mean"):
        Settings.known_option("epoch")
