"""The one error of a migration."""

from corepilot.errors import ConfigError

CANNOT_READ = "cannot read"
"""What the message begins with where the file itself is broken, and not only beyond what can be followed."""


class MigrationError(ConfigError):
    """A file that cannot be turned into one of version 3.

    Attributes:
        offset: Where, as an index into the file's text, or -1 for nowhere in particular.
    """

    code = "migration"

    def __init__(self, message: str, offset: int = -1) -> None:
        super().__init__(message)
        self.offset = offset
