"""Starting another Python like this one: the same interpreter, isolated, with the search path that this one has.

`python -I -m corepilot…` finds only what is installed for the interpreter, and corepilot can be elsewhere: in the
user's own directory (pip install --user, which isolated mode leaves out), in a zip file, in a checkout. So the search
path is handed over. Nothing else gets in: no PYTHON* variable, no working directory.
"""

import os
import sys

from corepilot.system.search_path import complete

# The path is put in place before the first import that is not of the standard library.
_BEGIN = "import sys; count = int(sys.argv[1]); sys.path[:] = sys.argv[2:2 + count]; del sys.argv[1:2 + count]\n"


def python_command(program: str, *arguments: str) -> list[str]:
    """Return the command line that runs a program in a Python like this one.

    Args:
        program: Its text. It finds its arguments in `sys.argv[1:]`.
        arguments: What it is called with.
    """
    complete()
    path = [os.path.abspath(entry) for entry in sys.path if entry]  # the empty one is the working directory
    return [sys.executable, "-I", "-c", _BEGIN + program, str(len(path)), *path, *arguments]


def own_python(module: str) -> list[str]:
    """Return the command line that calls the function `main` of a module of ours in a Python like this one.

    It is called as the process is that starts it.
    """
    begin = "from corepilot.system.naming import name_as_parent; name_as_parent()"
    return python_command(f"{begin}; from {module} import main; main()")
