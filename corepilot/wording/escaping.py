"""Texts of others in lines of ours: nothing in them may look like a line of its own, or move a terminal's cursor."""


def escaped(text: str) -> str:
    r"""A text as messages and tables show it: what is not printable becomes `\n`, `\x1b`, `\u2028` and the like.

    Printable text, blanks included, stays as it is; so does the backslash.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else repr(char)[1:-1] for char in text])
