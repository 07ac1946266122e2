"""What every program here needs: the project's folder on the path, and a pipe to announce things on."""

import os
import sys

sys.path.insert(0, os.environ["COREPILOT_CHECKOUT"])
PIPE = int(os.environ["ANNOUNCE"])


def announce(*words: object) -> None:
    os.write(PIPE, (" ".join(map(str, words)) + "\n").encode())
