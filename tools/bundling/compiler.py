"""Run by the Python of a bundle: compiles modules into code without sources. Standard library only.

python3 compiler.py BUNDLE   with the paths from there, as a JSON list, on standard input
"""

import importlib._bootstrap_external as machinery
import importlib.util
import json
import sys


def _compile(bundle: str, name: str) -> None:
    with open(f"{bundle}/{name}", "rb") as file:
        source = file.read()
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    data = machinery._code_to_hash_pyc(code, importlib.util.source_hash(source), False)  # type: ignore[attr-defined]  # noqa: FBT003, SLF001  - py_compile does the same, and writes where it likes
    with open(f"{bundle}/{name}c", "wb") as file:
        file.write(data)


def main() -> None:
    """Compile them all, in the order given."""
    for name in json.load(sys.stdin):
        _compile(sys.argv[1], name)


if __name__ == "__main__":
    main()
