"""The check: what `corepilot.checks.check.Check` asks for, here about a number in a file."""

from corepilot.checks.check import Check, CheckFailed


class FirstCheckCheck(Check):
    """Healthy while the number is not too large. Replace the body of `ask` with your question."""

    def ask(self, deadline_s: float) -> str:
        """Return what is to be seen with the status, or raise CheckFailed with the reason.

        A question to a server uses `corepilot.http` or gevent's own sockets, and lets `gevent.Timeout` pass.
        """
        path = self.options.path
        try:
            with open(path, encoding="utf-8") as file:
                number = float(file.read(100))
        except (OSError, ValueError) as error:
            raise CheckFailed(f"cannot read a number from {path}: {error}") from error
        if number > self.options.maximum:
            raise CheckFailed(f"{number:g} is more than {self.options.maximum:g}")
        return f"{number:g}"
