r"""Go's text/template, the language of ContainerPilot's configuration files, over environment variables.

The language is that of Go 1.26, complete as far as text variables can reach it, with the seven functions of the
ContainerPilot contract, section 2, and a few of consul-template's for the templates of files (watched.py).
tests/data/gotemplate compares it with Go itself. Deliberate differences:

- ``{{ .NAME }}`` is the whole value of a variable, not what stands before its second equals sign (contract 10.15);
- limits.py bounds the output, the steps, the depth of templates and parentheses, the lists and the regular expressions;
- ``%p`` prints a number of ours, for there is no address; no two runs of Go print the same one either;
- regular expressions know the scripts of unicode_scripts.py only, such as ``\p{Greek}``; what is a letter, a digit or
  printable is decided by Python's Unicode tables, whose version may differ from Go's;
- errors have words of our own. They stand in the line, and those of execution in the column, where Go has them.

Importing this package costs almost nothing; what a template needs is imported when one is rendered.
"""

from __future__ import annotations

from corepilot.gotemplate.errors import TemplateError
from corepilot.gotemplate.render import check, render
from corepilot.gotemplate.source_map import Origin, Rendered

__all__ = ["Origin", "Rendered", "TemplateError", "check", "render"]
