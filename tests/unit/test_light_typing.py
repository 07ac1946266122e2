"""The stand-in for `typing`: modules with types are imported with it, and plugins never see it."""

import subprocess
import sys

BEGIN = """
import sys
assert "typing" not in sys.modules
from corepilot.system import light_typing
light_typing.begin()
"""


def run(program: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


def test_types_are_written_as_with_the_real_one() -> None:
    run(f"""{BEGIN}
from collections.abc import Callable, Iterator
from typing import (TYPE_CHECKING, Annotated, Any, AnyStr, ClassVar, Dict, Final, Generic, Iterable, List, Literal,
    NamedTuple, NoReturn, Optional, Protocol, Self, Tuple, Type, TypeAlias, TypedDict, TypeVar, Union, cast,
    dataclass_transform, final, get_args, overload)
assert not TYPE_CHECKING
T = TypeVar("T", bound="Later")
Level = Literal["one", "two"]
assert get_args(Level) == ("one", "two")
class Speaks(Protocol):
    def word(self) -> str: ...
class Both(Speaks, Protocol): ...
class Kept(Iterator[dict[str, object]], Generic[T]):
    __slots__ = ("one",)
    def __next__(self) -> T: raise StopIteration
def typed(one: Level | None, two: "Level" = None, *rest: Any | None) -> Callable[[T], list[T] | None] | None: ...
def others(one: Union[str, "Later"], two: Optional[List[Tuple[T, ...]]], three: Dict[str, Type[T]] | Level): ...
def more(one: Annotated[int, 5], two: Kept[int] | None, three: int | Level | Final[str]) -> Iterable[NoReturn]: ...
assert list(Kept()) == []
assert cast("Later", 5) == 5 and final(Kept) is overload(Kept) is dataclass_transform(frozen_default=True)(Kept) is Kept
class Keys(TypedDict, total=False):
    a: int
assert Keys(a=1) == {{"a": 1}}
assert "_typing" not in sys.modules, "the real one has been loaded"
""")


def test_named_tuples_are_those_of_the_real_one() -> None:
    run(f"""{BEGIN}
CLASS = '''
from typing import NamedTuple
class Pair(NamedTuple):
    "A docstring."
    one: int
    other: str = "x"
    @property
    def both(self) -> str:
        return f"{{self.one}}{{self.other}}"
    @classmethod
    def of(cls, text: str) -> "Pair":
        return cls(len(text), text)
'''
light = {{"__name__": "somewhere"}}
exec(CLASS, light)
assert "_typing" not in sys.modules
light_typing.end()
real = {{"__name__": "somewhere"}}
exec(CLASS, real)
assert "_typing" in sys.modules
one, other = light["Pair"], real["Pair"]
for name in ("__doc__", "__name__", "__qualname__", "__module__", "_fields", "_field_defaults", "__slots__"):
    assert getattr(one, name) == getattr(other, name), (name, getattr(one, name), getattr(other, name))
assert {{*dir(one)}} ^ {{*dir(other)}} <= {{"__orig_bases__"}}, {{*dir(one)}} ^ {{*dir(other)}}
assert one(1) == other(1) and one.of("ab").both == "2ab" and repr(one(1)) == repr(other(1)) == "Pair(one=1, other='x')"
""")


def test_dataclasses_know_a_class_variable() -> None:
    run(f"""{BEGIN}
from typing import ClassVar, Literal
from dataclasses import dataclass, fields
@dataclass
class One:
    kind: ClassVar[str] = "k"
    bare: ClassVar = 1
    text: "ClassVar[int]" = 2
    level: Literal["a"] | None = None
assert [field.name for field in fields(One)] == ["level"]
""")


def test_what_it_does_not_know_is_the_real_ones() -> None:
    run(f"""{BEGIN}
import typing
from typing import get_type_hints, runtime_checkable
assert sys.modules["typing"] is typing and type(typing).__name__ == "_LightTyping"
class One:
    a: int
assert get_type_hints(One) == {{"a": int}}
assert typing.get_args(dict[str, int]) == (str, int)
light_typing.end()
import typing as after
assert after.runtime_checkable is runtime_checkable, "the real one was loaded twice"
""")


def test_one_that_is_loaded_stays() -> None:
    run("""
import typing, sys
from corepilot.system import light_typing
light_typing.begin()
assert sys.modules["typing"] is typing
with light_typing.light_types():
    assert sys.modules["typing"] is not typing
    from typing import get_type_hints
    assert get_type_hints is typing.get_type_hints
assert sys.modules["typing"] is typing
light_typing.end()
assert sys.modules["typing"] is typing
""")


def test_light_types_inside_go_on_standing_in_afterwards() -> None:
    run(f"""{BEGIN}
with light_typing.light_types():
    import typing
import typing as after
assert after is typing and "_typing" not in sys.modules
""")
