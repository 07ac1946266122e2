"""Consul for the tests: see `servers.go_build`. Run as a script, this module prints the binary's path.

Standard library only.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from servers.go_build import CONSUL


def consul_binary() -> Path:
    """The Consul to test with; builds it where there is none.

    Raises:
        RuntimeError: there is no Consul and it cannot be built.
    """
    return CONSUL.binary()


if __name__ == "__main__":
    sys.stdout.write(f"{consul_binary()}\n")
