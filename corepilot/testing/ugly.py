"""Texts that a plugin has to be able to take: from people, from programs, from other machines."""

TEXTS = (
    "",
    "web",
    "two\nlines\r\n\tand a tab",
    'quotes " and \\ and {braces: [1, 2]} & <b>',
    "Grüße, 世界, \U0001f600, \u202eright to left\u202c, e\u0301",
    "a\x00zero, a\x07bell, an \x1b[31mescape",
    "lone surrogates of a name that is not UTF-8: \udcff\udc80",
    "%s {} {0} $HOME `id` ../../etc/passwd",
    "x" * 4096,
)
