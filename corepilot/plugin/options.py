"""A plugin's options: a frozen dataclass whose fields say everything that is to be said of a setting, once.

Supported types: str, int, float, bool, `X | None`, `Literal["a", "b"]`, `tuple[str, ...]`, and another such dataclass for
a nested object. A float with `unit="s"` also accepts a duration such as "500ms". What a field cannot express goes into
`__post_init__`, which raises `OptionError` with the name of the field.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

_KEY = "corepilot"


class OptionError(ValueError):
    """Raised by an `Options.__post_init__`: these values, each fine by itself, cannot be used together, or one is malformed.

    Args:
        name: The field it is about; "a.b" for a nested one.
        message: The rule that is broken and what to do, to follow "cannot use <path>: ".
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclasses.dataclass(frozen=True, slots=True)
class OptionInfo:
    """What a field's metadata say. See `option` for the meanings."""

    help: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    env: str = ""
    env_wins: bool = False
    secret: bool = False
    example: str = ""


def option(
    *,
    help: str,  # noqa: A002  - the word every author knows from argparse
    default: Any = dataclasses.MISSING,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    env: str = "",
    env_wins: bool = False,
    secret: bool = False,
    example: str = "",
) -> Any:
    """A field of an `Options` dataclass.

    Args:
        help: One line for the reference page; lower case, no full stop.
        default: The value if the configuration does not give one; without it the option is required.
        unit: What a number counts: "s", "bytes", ….
        minimum: The least allowed number.
        maximum: The greatest allowed number.
        env: The environment variable that fills the option in if the configuration does not give it.
        env_wins: The variable beats the configuration (ContainerPilot contract, section 3.4).
        secret: Never shown in logs, errors, status or documentation.
        example: A value for the documentation.
    """
    info = OptionInfo(help, unit, minimum, maximum, env, env_wins, secret, example)
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        # A frozen instance is a safe shared default; dataclasses refuse it when it has no __hash__, so wrap it.
        return dataclasses.field(default_factory=lambda: default, metadata={_KEY: info})
    return dataclasses.field(default=default, metadata={_KEY: info})


def info_of(field: "dataclasses.Field[Any]") -> OptionInfo:
    """The metadata of a field; empty for a field made without `option`."""
    metadata: Mapping[str, Any] = field.metadata
    info = metadata.get(_KEY, OptionInfo())
    assert isinstance(info, OptionInfo)  # noqa: S101  - only `option` writes this key
    return info
