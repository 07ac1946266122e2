"""Output that is not simply logged: with a prefix, as structure, with its stream, or into a file of its own."""

from collections.abc import Callable, Sequence

from corepilot.model.command import OutputSettings
from corepilot.output.job_file import JobFile
from corepilot.output.records import Fields, Output, Records
from corepilot.output.stamps import nano_stamp


class Delivery:
    """Where one stream of a run goes.

    Args:
        output: Whose subscribers get the lines.
        congested: Whether the log is; it counts where the lines are logged.
        settings: What is to become of them.
        stream: "stdout", "stderr", or "" where both come together.
        file: Its own file, closed with this; None where there is none.
    """

    def __init__(
        self,
        output: Output,
        congested: Callable[[], bool],
        settings: OutputSettings,
        stream: str,
        file: JobFile | None,
    ) -> None:
        self._output, self._log_congested, self._stream, self._file = output, congested, stream, file
        self._prefix = settings.prefix.encode("utf-8", "surrogateescape")
        self._structured = settings.structured
        self._logged = file is None or settings.both

    @property
    def congested(self) -> bool:
        """Whether a job should wait with what it writes."""
        return (self._logged and self._log_congested()) or (self._file is not None and self._file.congested)

    def deliver(self, lines: Sequence[bytes], fields: Fields) -> None:
        """Hand lines on."""
        now = Records.now(lines, fields, self._stream)
        records = now._replace(structured=self._structured, logged=self._logged, prefix=self._prefix)
        if self._file is not None:
            stamp = nano_stamp(records.wall_ns).encode() + b" " if self._file.settings.time else b""
            self._file.write(stamp + (b"\n" + stamp).join(records.shown) + b"\n")
        self._output.publish(records)

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            self._file.close()
