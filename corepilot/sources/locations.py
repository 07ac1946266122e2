"""What a location is: the scheme that picks the source, and how the location is shown.

On the boot path: imports nothing.
"""

from corepilot.sources.paths import absolute_path, printable

TYPE_CHECKING = False  # what typing.TYPE_CHECKING is to a type checker, without importing typing
if TYPE_CHECKING:
    from collections.abc import Sequence

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_SCHEME = _LETTERS | frozenset("0123456789+-.")


def scheme_of(location: str) -> str:
    """The scheme that names a source, in small letters; "" for a path and for a `file://` URL.

    A scheme is what RFC 3986, section 3.1 says: a letter, then letters, digits, `+`, `-` and `.`, up to a colon. A path
    that looks like that is written with `./` before it.
    """
    scheme, colon, _ = location.partition(":")
    scheme = scheme.lower()
    if not colon or scheme[:1] not in _LETTERS or not _SCHEME.issuperset(scheme):
        return ""
    return "" if scheme == "file" and location[5:7] == "//" else scheme


def shown(location: str) -> str:
    """A location without what may be a secret in it: the password, query and fragment of a URL."""
    if not scheme_of(location):
        return printable(location)
    rest, hash_, _ = location.partition("#")
    rest, question, _ = rest.partition("?")
    # Between any two slashes: where the place of a catalog has a scheme of its own, or is mistyped, it comes later.
    rest = "/".join([_without_password(part) for part in rest.split("/")])
    return printable(f"{rest}{'?…' if question else ''}{'#…' if hash_ else ''}")


def _without_password(part: str) -> str:
    at = part.rpartition("@")
    return f"{at[0].partition(':')[0]}:***@{at[2]}" if ":" in at[0] else part


def all_shown(locations: "Sequence[str]") -> str:
    """Some locations for messages."""
    return ", ".join([shown(one) for one in locations])


def identity_of(locations: "Sequence[str]") -> str:
    """What tells the corepilot that runs a configuration from others: paths are absolute.

    Raises:
        SourceError: one is a URL that names no file here.
    """
    return ", ".join([shown(one) if scheme_of(one) else absolute_path(one) for one in locations])
