"""The process that makes one file: it reads a request, carries out the template, replaces the file, and answers.

A process of its own, because a template may take a second and a disk any time: neither may hold the supervisor up. It
has limits on CPU time and memory, so that no template can take more than it should.
"""

import os

from corepilot.gotemplate import TemplateError, render
from corepilot.gotemplate.values import GoList, Record, UnansweredError, Value, Watches
from corepilot.rendering.exchange import REASON_MAX, RenderAnswer, RenderRequest, Seen, decode_request, encode_answer
from corepilot.rendering.file import FileError, replace
from corepilot.system.bounds import bound
from corepilot.system.kernel import signal

CPU_S = 3
"""Seconds of CPU time for one file."""

MEMORY_BYTES = 256 * 1024 * 1024
"""Address space above what there is at the beginning."""

_WALL_S = 60
"""Seconds until the kernel ends one whose parent did not."""


class _OverrunError(BaseException):
    """The CPU time is used up."""


def main() -> None:
    """Be such a process: a request on standard input, the answer on standard output."""
    signal.alarm(_WALL_S)
    with os.fdopen(0, "rb", closefd=False) as stdin:
        request = decode_request(stdin.read())
    bound(CPU_S, MEMORY_BYTES, _overrun)
    try:
        answer = make(request)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    except _OverrunError:
        answer = RenderAnswer("template", f"it takes more than {CPU_S} s of CPU time; make its loops or texts shorter")
    except MemoryError:
        answer = RenderAnswer("template", "it takes too much memory; make its lists or texts shorter")
    data = memoryview(encode_answer(answer))
    while data:
        data = data[os.write(1, data) :]


def make(request: RenderRequest) -> RenderAnswer:
    """Carry a request out, without limits."""
    watches = Watches({one.name: (one.kind, one.subject, _Content(one)) for one in request.watches})
    try:
        text = render(request.template, request.environment, watches).text
    except UnansweredError as unanswered:
        return RenderAnswer("waits", unanswered.name, tuple(sorted(watches.used)))
    except TemplateError as error:
        return RenderAnswer("template", str(error)[:REASON_MAX], tuple(sorted(watches.used)))
    try:
        content = text.encode("utf-8", "surrogateescape")
        written = replace(request.to, content, mode=request.mode, temporary=request.temporary)
    except FileError as error:
        return RenderAnswer("file", str(error)[:REASON_MAX], tuple(sorted(watches.used)))
    return RenderAnswer("written" if written else "same", "", tuple(sorted(watches.used)))


class _Content:
    """What a watch has found, as values of the template language, made when a template looks at it."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._made: Value = None
        self._is_made = False

    def __call__(self) -> Value:
        seen = self._seen
        if seen.content is None:
            raise UnansweredError(seen.name)
        if not self._is_made:
            self._made, self._is_made = _values(seen.kind, seen.subject, seen.content), True
        return self._made


def _values(kind: str, subject: str, content: tuple[tuple[object, ...], ...]) -> Value:
    if kind == "service":
        return GoList([_instance(*one) for one in content], "Instance")
    if kind == "key":
        return _text(content[0][1]) if content else None
    prefix = subject.strip("/") + "/"
    return GoList([_entry(str(key), value, prefix) for key, value in content], "Entry")


def _instance(*fields: object) -> Record:
    identity, name, address, port, tags = fields
    assert isinstance(address, str)  # noqa: S101  - our own parent has written it
    assert isinstance(port, int)  # noqa: S101  - as above
    assert isinstance(tags, tuple)  # noqa: S101  - as above
    return Record(
        "Instance",
        {
            "ID": str(identity),
            "Name": str(name),
            "Address": address,
            "Port": port,
            "HostPort": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            "Tags": GoList(tags, "string"),
        },
    )


def _entry(path: str, value: object, prefix: str) -> Record:
    key = path.lstrip("/")
    return Record("Entry", {"Key": key.removeprefix(prefix), "Path": path, "Value": _text(value)})


def _text(value: object) -> str:
    assert isinstance(value, bytes)  # noqa: S101  - our own parent has written it
    return value.decode("utf-8", "surrogateescape")


def _overrun(_number: int, _frame: object) -> None:
    raise _OverrunError
