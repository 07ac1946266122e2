"""A child's output, cut into lines. Bounded: a line that never ends is handed on in parts."""

LINE_MAX_BYTES = 64 * 1024
"""Longer lines are cut into parts of at most this size. ContainerPilot takes lines of up to 65,535 bytes as one record;
a longer one ended its reader, and then the job (contract, section 6, FIX)."""


class LineSplitter:
    """Turns chunks of bytes into lines, without their newline and one carriage return before it.

    Every byte that goes in comes out, in order; empty lines are kept, and so is a last line without newline (`flush`).
    How the bytes were divided into chunks makes no difference. A part ends at the limit, or up to three bytes before
    it, where a character of UTF-8 would be cut otherwise.

    Holds at most `LINE_MAX_BYTES` and a carriage return.

    Args:
        limit: The longest line in bytes; at least 1. Below 4 a character may be cut.
    """

    def __init__(self, limit: int = LINE_MAX_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, and full parts of a line that is too long. May be empty."""
        if b"\n" not in chunk and len(self._rest) + len(chunk) <= self._limit:
            self._rest += chunk  # in place: a long line may come a few bytes at a time
            return []
        data = b"".join((self._rest, chunk))
        lines = data.split(b"\n")
        rest = lines.pop()
        if b"\r" in data:
            lines = [line[:-1] if line.endswith(b"\r") else line for line in lines]
        if len(data) > self._limit:
            if max(map(len, lines), default=0) > self._limit:
                lines = [part for line in lines for part in self._parts(line)]
            text = rest.removesuffix(b"\r")  # one at the end waits for what comes next: a newline takes it away
            if len(text) > self._limit:
                *full, last = self._parts(text)
                lines += full
                rest = last + rest[len(text) :]
        self._rest = bytearray(rest)
        return lines

    def flush(self) -> list[bytes]:
        """What is left when the stream has ended: mostly no line or one."""
        rest, self._rest = bytes(self._rest), bytearray()
        return self._parts(rest) if rest else []

    def _parts(self, line: bytes) -> list[bytes]:
        parts = []
        start = 0
        while len(line) - start > self._limit:
            end = self._end(line, start)
            parts.append(line[start:end])
            start = end
        parts.append(line[start:])
        return parts

    def _end(self, line: bytes, start: int) -> int:
        """Where a part ends: at the limit, or where the character begins that lies across it."""
        end = start + self._limit
        for begin in range(end, max(end - 4, start), -1):
            byte = line[begin]
            if byte & 0xC0 != 0x80:  # no continuation byte; see utf-8(7) for the lengths
                length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
                return begin if begin + length > end else end
        return end
