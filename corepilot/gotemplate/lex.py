"""Cut a template into tokens, by the lexical rules of Go's text/template.

A token is (kind, offset of its first character, text). White space inside an action is a token too: it separates
operands. The list ends with END, or with ERROR, whose text is what is wrong: the parser may find a fault before it.
"""

from __future__ import annotations

Token = tuple[int, int, str]

(
    ERROR,
    END,
    TEXT,
    LEFT,
    RIGHT,
    SPACE,
    ASSIGN,
    DECLARE,
    PIPE,
    OPEN,
    CLOSE,
    CHARACTER,
    FIELD,
    VARIABLE,
    IDENTIFIER,
    BOOL,
    NUMBER,
    COMPLEX,
    RUNE,
    STRING,
    RAW_STRING,
    DOT,
    NIL,
    KEYWORD,
) = range(24)

KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"))

SPACES = " \t\r\n"
_ENDS_NAME = frozenset(" \t\r\n.,|:()")
_SINGLE = {"=": ASSIGN, "|": PIPE, "(": OPEN, ")": CLOSE}
_DECIMAL = "0123456789_"


class _LexicalError(Exception):
    """Carries the offset of the token that cannot be read."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def tokenize(source: str) -> list[Token]:
    """Cut a template into tokens; never fails, see the module."""
    tokens: list[Token] = []
    try:
        _text(source, tokens)
    except _LexicalError as error:
        tokens.append((ERROR, error.offset, str(error)))
    else:
        tokens.append((END, len(source), ""))
    return tokens


def _text(source: str, tokens: list[Token]) -> None:
    position = 0
    while (opening := source.find("{{", position)) >= 0:
        inside = opening + 2
        # A trim marker is a minus and a space: {{-3}} is a number.
        trims = source.startswith("-", inside) and source[inside + 1 : inside + 2] in SPACES
        trims = trims and inside + 1 < len(source)
        text = source[position:opening]
        if trims:
            text = text.rstrip(SPACES)
            inside += 2
        if text:
            tokens.append((TEXT, position, text))
        if source.startswith("/*", inside):
            position = _comment(source, inside)
        else:
            tokens.append((LEFT, opening, "{{"))
            position = _action(source, inside, tokens)
    if position < len(source):
        tokens.append((TEXT, position, source[position:]))


def _comment(source: str, start: int) -> int:
    end = source.find("*/", start + 2)
    if end < 0:
        raise _LexicalError("the comment is not closed; write {{/* … */}}", start)
    end += 2
    if source.startswith("}}", end):
        return end + 2
    if _trims_right(source, end):
        return _after_spaces(source, end + 4)
    raise _LexicalError("a comment must fill its action: after */ only }} or ' -}}' may follow", start)


def _trims_right(source: str, position: int) -> bool:
    return source.startswith("-}}", position + 1) and source[position] in SPACES


def _after_spaces(source: str, position: int) -> int:
    length = len(source)
    while position < length and source[position] in SPACES:
        position += 1
    return position


def _action(source: str, position: int, tokens: list[Token]) -> int:
    """Read the tokens of one action; return the offset behind it and behind the white space it trims."""
    length = len(source)
    add = tokens.append
    depth = 0
    while True:
        if source.startswith("}}", position):
            if depth:
                raise _LexicalError("a left parenthesis is not closed in this action", position)
            add((RIGHT, position, "}}"))
            return position + 2
        if position >= length:
            raise _LexicalError("the action is not closed; it needs }}", position)
        character = source[position]
        start = position
        if character in SPACES:
            position = _after_spaces(source, position)
            if _trims_right(source, position - 1):
                if position - 1 > start:
                    add((SPACE, start, ""))
                if depth:
                    raise _LexicalError("a left parenthesis is not closed in this action", position - 1)
                add((RIGHT, position + 1, "}}"))
                return _after_spaces(source, position + 3)
            add((SPACE, start, ""))
            continue
        kind = _SINGLE.get(character)
        if kind is not None:
            position += 1
            if kind == OPEN:
                depth += 1
            elif kind == CLOSE:
                depth -= 1
                if depth < 0:
                    raise _LexicalError("a right parenthesis has no left one in this action", start)
        elif character == ".":
            following = source[position + 1 : position + 2]
            if following and following in "0123456789":
                kind, position = _number(source, start)
            else:
                position = _name(source, position + 1, start)
                kind = FIELD if position > start + 1 else DOT
        elif character == "$":
            position = _name(source, position + 1, start)
            kind = VARIABLE
        elif character in "+-0123456789":
            kind, position = _number(source, start)
        elif is_alphanumeric(character):
            position = _name(source, position, start)
            kind = _word(source[start:position])
        elif character == '"' or character == "'":  # noqa: PLR1714  - no set is built on the way of every token
            kind = STRING if character == '"' else RUNE
            position = _quoted(source, start)
        elif character == "`":
            kind = RAW_STRING
            position = source.find("`", start + 1) + 1
            if not position:
                raise _LexicalError("the raw string is not closed; it needs a second back quote", start)
        elif character == ":":
            if not source.startswith("=", position + 1):
                raise _LexicalError("expected := after the variable", start)
            kind = DECLARE
            position += 2
        elif " " < character <= "~":
            kind = CHARACTER
            position += 1
        else:
            raise _LexicalError(f"an action cannot contain the character {character!a}", start)
        add((kind, start, source[start:position]))


def is_alphanumeric(character: str) -> bool:
    """Tell whether Go takes a character as part of a name: a letter, a decimal digit or an underscore."""
    return character.isalpha() or character == "_" or character.isdecimal()


def _name(source: str, position: int, start: int) -> int:
    length = len(source)
    while position < length:
        character = source[position]
        if not (character.isalpha() or character == "_" or character.isdecimal()):
            if character not in _ENDS_NAME and not source.startswith("}}", position):
                message = f"the character {character!a} cannot follow {source[start:position]!a} without a space"
                raise _LexicalError(message, start)
            break
        position += 1
    return position


def _word(word: str) -> int:
    if word in KEYWORDS:
        return KEYWORD
    if word == "true" or word == "false":  # noqa: PLR1714  - no tuple on the way of every word
        return BOOL
    return NIL if word == "nil" else IDENTIFIER


def _quoted(source: str, start: int) -> int:
    quote = source[start]
    position = start + 1
    length = len(source)
    while position < length:
        character = source[position]
        if character == "\\":
            position += 1
            character = source[position : position + 1]
        elif character == quote:
            return position + 1
        if character == "\n":
            break
        position += 1
    thing = "string" if quote == '"' else "character constant"
    raise _LexicalError(f"the quoted {thing} is not closed on its line", start)


def _number(source: str, start: int) -> tuple[int, int]:
    """Find the end of a number. What passes here may still be no number: the parser converts it."""
    end = _scan_number(source, start, start)
    if source[end : end + 1] not in ("+", "-"):
        return NUMBER, end
    end = _scan_number(source, end, start)  # a complex constant, such as 1+2i
    if source[end - 1] != "i":
        raise _LexicalError(f"{source[start:end]!a} is no number, and the language has no arithmetic", start)
    return COMPLEX, end


def _scan_number(source: str, position: int, start: int) -> int:
    position = _accept(source, position, "+-")
    digits = _DECIMAL
    exponent = "eE"
    if source.startswith("0", position):
        position += 1
        letter = source[position : position + 1]
        if letter and letter in "xX":
            digits, exponent = "0123456789abcdefABCDEF_", "pP"
        elif letter and letter in "oO":
            digits, exponent = "01234567_", ""
        elif letter and letter in "bB":
            digits, exponent = "01_", ""
        if digits is not _DECIMAL:
            position += 1
    position = _accept_run(source, position, digits)
    if source.startswith(".", position):
        position = _accept_run(source, position + 1, digits)
    if exponent and (after := _accept(source, position, exponent)) > position:
        position = _accept_run(source, _accept(source, after, "+-"), _DECIMAL)
    position = _accept(source, position, "i")
    if position < len(source) and is_alphanumeric(source[position]):
        raise _LexicalError(f"{source[start : position + 1]!a} is no number", start)
    return position


def _accept(source: str, position: int, characters: str) -> int:
    return position + 1 if position < len(source) and source[position] in characters else position


def _accept_run(source: str, position: int, characters: str) -> int:
    length = len(source)
    while position < length and source[position] in characters:
        position += 1
    return position
