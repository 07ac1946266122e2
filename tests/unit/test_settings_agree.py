"""The check that holds settings and model together: it fails when one side has what the other lacks."""

from typing import Any, Literal

import pytest
import settings_agree

from corepilot.config.schema.fields import Choice, Duration, Flag, Setting, Text, Whole
from corepilot.config.schema.filling import made
from corepilot.config.schema.sections import Array, Object, Section
from corepilot.model.configuration import Metric, Watch
from corepilot.model.value import Value


class Below(Value):
    label: str = ""


class BelowSection(Section):
    label = Text("", default="")


class Top(Value):
    name: str
    wait_s: float | None = None
    strict: bool = False
    level: Literal["low", "high"] = "low"
    inner: Below = Below()
    many: tuple[Below, ...] = ()


def fields(**others: Setting) -> dict[str, Setting]:
    return {
        "name": Text("", required=True),
        "wait": Duration(""),
        "strict": Flag("", default=False),
        "level": Choice("", {"low": "low", "high": "high"}, default="low"),
        "inner": Object("", BelowSection),
        "many": Array("", Object("", BelowSection)),
        **others,
    }


def judged(settings: dict[str, Setting], unset: dict[str, str] | None = None) -> list[str]:
    section: type[Section] = type("TopSection", (Section,), dict[str, Any](settings))
    return settings_agree.faults({Top: section, Below: BelowSection}, Top, unset or {})


def test_the_settings_and_the_model_agree() -> None:
    assert settings_agree.faults() == []
    assert settings_agree.main() == 0


def test_two_that_agree() -> None:
    assert judged(fields()) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"colour": Flag("")}, "TopSection.colour fills Top.colour, which does not exist"),
        ({"name": Text("", required=True, fills="inner.nmae")}, "TopSection.name fills Top.inner.nmae, which does not"),
        ({"name": Text("", required=True, derives=("nmae",))}, "TopSection.name fills Top.nmae, which does not exist"),
        ({"strict": Text("", default="")}, "TopSection.strict is a Text, and Top.strict is <class 'bool'>"),
        ({"wait": Text("")}, "TopSection.wait is a Text, and Top.wait_s is <class 'float'>"),
        ({"name": Whole("", required=True)}, "TopSection.name is a Whole, and Top.name is <class 'str'>"),
        ({"level": Choice("", {"low": "low"}, default="low")}, "TopSection.level takes 'low', and Top.level is"),
        ({"level": Text("", default="low")}, "TopSection.level is a Text, and Top.level is"),
        ({"strict": Flag("", default=True)}, "TopSection.strict is True by default, and Top.strict is False"),
        ({"name": Text("")}, "TopSection.name may be left out, and Top.name has no default"),
        ({"inner": Object("", Section)}, "TopSection.inner holds Section, from which no value in Top.inner is made"),
        ({"strict": Setting("")}, "TopSection.strict is of a kind that this check does not know: Setting"),
    ],
)  # fmt: skip
def test_a_setting_that_the_model_does_not_have_so(changed: dict[str, Setting], fault: str) -> None:
    assert fault in "\n".join(judged(fields(**changed)))


def test_a_field_that_no_setting_fills() -> None:
    settings = fields()
    del settings["strict"], settings["level"]
    assert judged(settings) == [
        "no setting fills Top.level: add one, or name it in UNSET",
        "no setting fills Top.strict: add one, or name it in UNSET",
    ]
    assert judged(settings, {"Top.level": "why", "Top.strict": "why"}) == []


def test_an_excuse_that_is_none() -> None:
    assert judged(fields(), {"Top.gone": "why"}) == ["UNSET names Top.gone, which does not exist"]
    assert judged(fields(), {"Top.name": "why"}) == ["UNSET names Top.name, which a setting fills"]


def test_what_a_value_is_made_from_is_complete_or_a_bug() -> None:
    assert made(Watch, {"name": "db", "interval": 3, "dc": "east", "other": 1}) == Watch("db", 3, datacenter="east")
    assert made(Watch, {"name": "db", "interval": 3}, interval_s=4).interval_s == 4, "the rules win"
    with pytest.raises(TypeError, match="Metric needs help"):
        made(Metric, {"name": "a", "type": "gauge"})
