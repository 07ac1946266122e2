"""What `site` does at the start of Python, done when somebody needs it.

The launcher starts the Python of a virtual environment with -S and puts the environment's packages on the search path,
because `site` takes 2 to 3 ms before the first job, and of each `corepilot ping`. What is left of it is what other
packages have put there: files `*.pth` (an editable installation, a checkout), and the packages of the system where the
environment is to see those. Plugins can be in such places, and so can what corepilot depends on.
"""

from __future__ import annotations

import os
import sys

_NEEDED = ("gevent", "greenlet", "h11", "marshmallow", "pluggy")
"""What guard, supervisor and loader import of others."""


def complete() -> None:
    """Have the search path that a Python of this installation has without -S. Idempotent; a no-op without -S.

    It carries out what packages have put into files `*.pth`, as each start of Python does.
    """
    if sys.flags.no_site and not hasattr(__import__("builtins"), "quit"):  # what `site` adds, too
        import site

        site.main()


def complete_for_dependencies() -> None:
    """Do so if something that corepilot depends on is not installed beside it. For the way to the first job."""
    if not sys.flags.no_site:
        return
    beside = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if not all(os.path.isdir(os.path.join(beside, one)) for one in _NEEDED):
        complete()
