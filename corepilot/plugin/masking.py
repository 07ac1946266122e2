"""The forms in which a secret gets into a text: as it is, or as something quoted or encoded it on the way."""

from binascii import b2a_base64
from collections.abc import Iterable

_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every form of some secrets, the longest first, so that none is cut by a shorter one.

    As it is; as `repr` shows it, of the text and of its bytes; in JSON; in a URL; in base64.
    """
    from json.encoder import encode_basestring, encode_basestring_ascii  # not before there is a secret

    found: set[str] = set()
    for secret in filter(None, secrets):
        data = secret.encode("utf-8", "surrogatepass")
        urls = [_percent(secret, _UNRESERVED | set(more)) for more in ("", "/")]
        found.update(
            {
                secret,
                repr(secret)[1:-1],
                repr(data)[2:-1],
                encode_basestring(secret)[1:-1],
                encode_basestring_ascii(secret)[1:-1],
                *urls,
                *[url.replace("%20", "+") for url in urls],
                b2a_base64(data, newline=False).decode(),
            }
        )
    return tuple(sorted(found, key=len, reverse=True))


def _percent(text: str, kept: Iterable[str]) -> str:
    return "".join(
        [
            char if char in kept else "".join([f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")])
            for char in text
        ]
    )
