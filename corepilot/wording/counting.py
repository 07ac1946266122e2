"""Numbers of things in messages."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return "1 job", "2 jobs", "0 jobs".

    Args:
        number: How many.
        noun: What one of them is called.
        plural: What several are called; the noun and an s by default.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
