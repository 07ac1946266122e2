"""How much one template may ask for: our own decision, so that a template bomb ends in an error.

Go has no such bounds but one on the depth of templates (100,000) and one on the depth of parentheses (10,000).
"""

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""Size of the rendered text, and of every string on the way to it."""

MAX_STEPS = 2_000_000
"""Actions, texts and rounds of loops executed in one rendering: about two seconds of work."""

MAX_TEMPLATE_DEPTH = 10_000
"""Templates that have called one another. They cost no Python stack."""

MAX_PARENTHESES = 100
"""Parenthesised pipelines within one another. Each costs a few frames of Python's stack."""

MAX_LIST = 1_000_000
"""Elements of a list made by ``loop`` or ``split``."""

MAX_REGEX_STEPS = 1_000_000
"""Steps of the matcher in one ``regexReplaceAll``: about half a second, and 100 MB at the worst."""

MAX_REGEX_PROGRAM = 50_000
"""Instructions of one compiled regular expression, counted repetitions written out."""

MAX_REGEX_GROUPS = 100
"""Groups of a regular expression within one another."""
