"""Unexpected exceptions in lines of ours."""


def one_line_traceback(error: BaseException) -> str:
    """Return the whole traceback, causes included, with ` | ` between its lines: one record of a log holds it."""
    from traceback import format_exception  # not before there is a failure: it costs milliseconds

    return "".join(format_exception(error)).strip().replace("\n", " | ")
