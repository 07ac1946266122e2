"""The settings of `jobs[].ready`. `rules.ready` makes of them what shows that a run is ready."""

from typing import ClassVar

from corepilot.config.schema.fields import Duration, Flag, Text, Whole
from corepilot.config.schema.sections import Section


class ReadySection(Section):
    """`jobs[].ready`."""

    meant: ClassVar = {
        "timeout": "write readyTimeout, beside ready",
        "notification-fd": "write fd",
        "ready_log_line": "write log",
        "type": 'write notify: true for a program of systemd\'s type "notify"',
    }

    notify = Flag("the program says so itself: sd_notify(3) with `READY=1`", default=False)
    fd = Whole(
        "the program writes a newline to this descriptor, as to s6",
        minimum=3,
        maximum=255,
        default=0,
        default_text="none",
        example="3",
    )
    log = Text(
        "regular expression (RE2) that is found in a line of its output, in the first KiB of it",
        default="",
        default_text="none",
        example="ready to accept connections",
    )
    file = Text(
        "absolute path of a file that is made, replaced or written after the start",
        default="",
        default_text="none",
        example="/run/app.pid",
    )
    check = Flag("the checks of its `health` pass, for the first time since the start", default=False)
    after = Duration("it has been up for that long", minimum=0, default_text="none", example="5s")
    watchdog = Duration(
        "with `notify`: how often it sends `WATCHDOG=1` at least once it is ready; a run that does not is ended, and "
        "has failed",
        minimum=0.01,
        default_text="none",
        example="30s",
    )
