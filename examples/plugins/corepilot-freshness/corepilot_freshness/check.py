"""The check: the age of a file's last change."""

import os
import time

from corepilot.checks.check import Check, CheckFailed


class FreshnessCheck(Check):
    def ask(self, deadline_s: float) -> str:  # noqa: ARG002  - stat(2) of a local file does not wait
        path, maximum_s = self.options.path, self.options.maximum_age_s
        try:
            age_s = time.time() - os.stat(path).st_mtime
        except OSError as error:
            raise CheckFailed(f"cannot look at {path}: {error.strerror}") from error
        if age_s > maximum_s:
            raise CheckFailed(f"{path} was written {age_s:.0f} s ago, and {maximum_s:g} s are allowed")
        return f"written {max(age_s, 0):.0f} s ago"
