"""The command line of tools/bundle."""

import argparse
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make a bundle, and print the path of its archive."""
    from bundling.making import make

    parser = argparse.ArgumentParser(
        prog="tools/bundle",
        description="Make a folder with corepilot, its plugins, their own Python and C library, and the .tar.gz of it.",
        epilog="SOURCE_DATE_EPOCH is the time of all files in it; without it, the time of the last commit.",
    )
    parser.add_argument("directory", type=Path, nargs="?", default=TOOLS.parent / "build" / "bundle",
                        help="where to make them; what is there under the same names is replaced")  # fmt: skip
    parser.add_argument("--python", metavar="PROGRAM", default="/usr/bin/python3",
                        help="the Python that goes into it; without this option, that of Debian")  # fmt: skip
    parser.add_argument("--constraint", metavar="FILE", action="append", default=[],
                        help="versions of packages, as for pip; can be repeated")  # fmt: skip
    arguments = parser.parse_args()
    print(make(arguments.directory.resolve(), arguments.python, arguments.constraint))


if __name__ == "__main__":
    sys.path[0] = str(TOOLS)
    main()
