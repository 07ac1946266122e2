"""Classes of characters in regular expressions: Perl's, POSIX's and Unicode's, as RE2 knows them.

A class is a list of ranges of code points, both ends included. Perl's and POSIX's classes are ASCII. Unicode's tables
are read only when a pattern needs them: some tens of milliseconds.
"""

from __future__ import annotations

Ranges = list[tuple[int, int]]

_LAST = 0x10FFFF
NEWLINE: Ranges = [(10, 10)]
_DIGIT: Ranges = [(0x30, 0x39)]
_UPPER: Ranges = [(0x41, 0x5A)]
_LOWER: Ranges = [(0x61, 0x7A)]
_WORD: Ranges = [*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER]
_PERL: dict[str, Ranges] = {"d": _DIGIT, "s": [(9, 10), (12, 13), (32, 32)], "w": _WORD}
_POSIX: dict[str, Ranges] = {
    "alnum": [*_DIGIT, *_UPPER, *_LOWER],
    "alpha": [*_UPPER, *_LOWER],
    "ascii": [(0, 0x7F)],
    "blank": [(9, 9), (32, 32)],
    "cntrl": [(0, 0x1F), (0x7F, 0x7F)],
    "digit": _DIGIT,
    "graph": [(0x21, 0x7E)],
    "lower": _LOWER,
    "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(9, 13), (32, 32)],
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": [*_DIGIT, (0x41, 0x46), (0x61, 0x66)],
}
# Long names of the general categories (Unicode, PropertyValueAliases), without underscores.
_CATEGORIES = {
    "casedletter": "LC",
    "closepunctuation": "Pe",
    "cntrl": "Cc",
    "combiningmark": "M",
    "connectorpunctuation": "Pc",
    "control": "Cc",
    "currencysymbol": "Sc",
    "dashpunctuation": "Pd",
    "decimalnumber": "Nd",
    "digit": "Nd",
    "enclosingmark": "Me",
    "finalpunctuation": "Pf",
    "format": "Cf",
    "initialpunctuation": "Pi",
    "letter": "L",
    "letternumber": "Nl",
    "lineseparator": "Zl",
    "lowercaseletter": "Ll",
    "mark": "M",
    "mathsymbol": "Sm",
    "modifierletter": "Lm",
    "modifiersymbol": "Sk",
    "nonspacingmark": "Mn",
    "number": "N",
    "openpunctuation": "Ps",
    "other": "C",
    "otherletter": "Lo",
    "othernumber": "No",
    "otherpunctuation": "Po",
    "othersymbol": "So",
    "paragraphseparator": "Zp",
    "privateuse": "Co",
    "punct": "P",
    "punctuation": "P",
    "separator": "Z",
    "spaceseparator": "Zs",
    "spacingmark": "Mc",
    "surrogate": "Cs",
    "symbol": "S",
    "titlecaseletter": "Lt",
    "unassigned": "Cn",
    "uppercaseletter": "Lu",
}
_SHORT = frozenset(_CATEGORIES.values())


def merged(ranges: Ranges) -> Ranges:
    """Return the same characters as ranges in order that do not touch."""
    result: Ranges = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def negated(ranges: Ranges) -> Ranges:
    """Return all other characters."""
    result: Ranges = []
    following = 0
    for low, high in merged(ranges):
        if following < low:
            result.append((following, low - 1))
        following = high + 1
    if following <= _LAST:
        result.append((following, _LAST))
    return result


def contains(ranges: Ranges, code: int) -> bool:
    """Tell whether a code point is in ordered ranges."""
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) // 2
        if ranges[middle][1] < code:
            low = middle + 1
        else:
            high = middle
    return low < len(ranges) and ranges[low][0] <= code


def perl_class(letter: str, *, fold: bool) -> Ranges | None:
    r"""Return the class of \d, \s or \w, or of the capital letter, which is all else; None for another letter."""
    ranges = _PERL.get(letter.lower()) if letter else None
    if ranges is None:
        return None
    ranges = folded(ranges) if fold else ranges
    return ranges if letter.islower() else negated(ranges)


def named_class(name: str, *, fold: bool) -> Ranges | None:
    """Return the class of a POSIX name, or of one after a ^, which is all else; None for another name."""
    ranges = _POSIX.get(name.removeprefix("^"))
    if ranges is None:
        return None
    ranges = folded(ranges) if fold else ranges
    return negated(ranges) if name.startswith("^") else ranges


def unicode_class(name: str) -> Ranges | None:
    """Return the class of a Unicode category or script; case, spaces, - and _ do not count. None for another name."""
    plain = name.replace("_", "").replace("-", "").replace(" ", "").lower()
    if plain == "any":
        return [(0, _LAST)]
    if plain == "ascii":
        return [(0, 0x7F)]
    if plain == "assigned":
        return negated(_category("Cn"))
    short = "LC" if plain == "lc" else plain.capitalize()
    category = short if short in _SHORT else _CATEGORIES.get(plain)
    if category is not None:
        return _category(category)
    from corepilot.gotemplate.unicode_scripts import SCRIPTS

    script = SCRIPTS.get(short)
    if script is None:
        return None
    bounds = [span.partition("-") for span in script.split()]
    return [(int(low, 16), int(high or low, 16)) for low, _, high in bounds]


_known_categories: dict[str, Ranges] = {}
_UNASSIGNED = (range(0x40000, 0xE0000), range(0xE1000, 0xF0000))  # nothing in them in any version of Unicode so far
_PRIVATE = (range(0xF0000, 0xFFFF0), range(0x100000, 0x10FFF0))


def _category(name: str) -> Ranges:
    known = _known_categories.get(name)
    if known is not None:
        return known
    from unicodedata import category  # a shared library, loaded only here

    wanted = {"Lu", "Ll", "Lt"} if name == "LC" else {short for short in _SHORT if short.startswith(name)}
    result: Ranges = [(span[0], span[-1]) for span in _UNASSIGNED if "Cn" in wanted]
    result += [(span[0], span[-1]) for span in _PRIVATE if "Co" in wanted]
    for span in (range(0x40000), range(0xE0000, 0xE1000), range(0xFFFF0, 0x100000), range(0x10FFF0, _LAST + 1)):
        start = -1
        for code, character in enumerate(map(chr, span), span[0]):
            if category(character) in wanted:
                if start < 0:
                    start = code
            elif start >= 0:
                result.append((start, code - 1))
                start = -1
        if start >= 0:
            result.append((start, span[-1]))
    _known_categories[name] = merged(result)
    return _known_categories[name]


def folded(ranges: Ranges) -> Ranges:
    """Return the class with all characters that differ from one of its own only in case."""
    result = list(ranges)
    for low, high in ranges:
        for first, last, shift in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
            if low <= last and high >= first:
                result.append((max(low, first) + shift, min(high, last) + shift))
    # Two letters beyond ASCII are case variants of ASCII letters: the long s and the Kelvin sign.
    for letter, variant in ((0x73, 0x17F), (0x6B, 0x212A)):
        if any(low <= code <= high for low, high in ranges for code in (letter, letter - 32)):
            result.append((variant, variant))
    if any(high > 0x7F for _, high in ranges) and ranges != [(0, _LAST)]:
        for family in _families():
            if any(low <= code <= high for low, high in ranges for code in family):
                result += [(code, code) for code in family]
    return merged(result)


_known_families: list[list[int]] = []


def _families() -> list[list[int]]:
    """Return the characters that differ only in case, by Unicode's simple case folding."""
    if _known_families:
        return _known_families
    families: dict[str, list[int]] = {}
    for code in range(0x1E944):
        character = chr(code)
        fold = character.casefold()
        if len(fold) > 1:
            fold = character.lower()
        if len(fold) == 1 and (fold != character or character.upper() != character):
            families.setdefault(fold, [ord(fold)])
            if fold != character:
                families[fold].append(code)
    _known_families.extend(family for family in families.values() if len(family) > 1)
    return _known_families
