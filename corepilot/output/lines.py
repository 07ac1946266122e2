"""A child's output, cut into lines. Bounded: a line that never ends is handed on in pieces."""

LINE_MAX_BYTES = 16 * 1024
"""Longer lines are cut into pieces of this size, as container engines do (our decision; contract, section 6, FIX: 64
KiB without a newline ended ContainerPilot's reader, and then the job)."""


class LineSplitter:
    """Turns chunks of bytes into lines, without their newline and one carriage return before it.

    Every byte that goes in comes out, in order; empty lines are kept, and so is a last line without newline (`flush`).
    Holds at most `LINE_MAX_BYTES`.
    """

    def __init__(self, limit: int = LINE_MAX_BYTES) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, and full pieces of a line that is too long. May be empty."""
        lines = (self._rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > self._limit or any(len(line) > self._limit for line in lines):
            lines = [piece for line in lines for piece in self._pieces(line)]
            *full, rest = self._pieces(rest)
            lines += full
        self._rest = rest
        return [line[:-1] if line.endswith(b"\r") else line for line in lines]

    def flush(self) -> list[bytes]:
        """What is left when the stream has ended: no line or one."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def _pieces(self, line: bytes) -> list[bytes]:
        return [line[start : start + self._limit] for start in range(0, len(line), self._limit)] or [b""]
