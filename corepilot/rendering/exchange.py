"""What is asked of the process that makes a file, and what it answers, as bytes on a pipe.

The bytes are `marshal`'s, as the loader's: the same interpreter writes and reads them, and bytes of the environment
that are not UTF-8 stay what they are.
"""

from __future__ import annotations

import marshal
from typing import Literal

from corepilot.model.value import Value

ANSWER_MAX_BYTES = 64 * 1024
"""An answer is a sentence and names of watches."""

REASON_MAX = 2000
"""Characters of a reason."""


class Seen(Value):
    """What a watch knows.

    Attributes:
        name: The watch's.
        kind: "service", "key" or "prefix".
        subject: What is watched.
        content: Of a service its passing instances, each as (id, service, address, port, tags); of keys those that
            there are, each as (key, value). None: nothing is known yet.
    """

    name: str
    kind: str
    subject: str
    content: tuple[tuple[object, ...], ...] | None


class RenderRequest(Value):
    """What to make.

    Attributes:
        template: Its text.
        to: The file.
        mode: See `corepilot.rendering.file.replace`; and so `temporary`.
        temporary: As said.
        environment: The jobs' environment.
        watches: What is known.
    """

    template: str
    to: str
    mode: int
    temporary: str
    environment: dict[str, str]
    watches: tuple[Seen, ...]


class RenderAnswer(Value):
    """What came of it.

    Attributes:
        result: "written"; "same": the file held it before; "waits": a watch that the template looks at knows nothing
            yet; "template": the template cannot be carried out; "file": the file cannot be written.
        reason: Why, in one sentence that holds no secret of ours; for "waits" the watch.
        used: The watches that the template has looked at.
    """

    result: Literal["written", "same", "waits", "template", "file"]
    reason: str = ""
    used: tuple[str, ...] = ()


def encode_request(request: RenderRequest) -> bytes:
    """A request as bytes. Quick for long lists: all of it is done in C."""
    fields = tuple(request)
    return marshal.dumps((*fields[:-1], [tuple(one) for one in request.watches]))


def decode_request(data: bytes) -> RenderRequest:
    """The inverse. Does not validate: only our own output goes in."""
    template, to, mode, temporary, environment, watches = marshal.loads(data)  # noqa: S302  - written by our own process
    return RenderRequest(template, to, mode, temporary, environment, tuple([Seen(*one) for one in watches]))


def encode_answer(answer: RenderAnswer) -> bytes:
    """An answer as bytes."""
    return marshal.dumps(tuple(answer))


def decode_answer(data: bytes) -> RenderAnswer:
    """The inverse.

    Raises:
        ValueError: it is not whole.
    """
    try:
        return RenderAnswer(*marshal.loads(data))  # noqa: S302  - written by our own process
    except (EOFError, TypeError) as error:
        raise ValueError("not a whole answer") from error
